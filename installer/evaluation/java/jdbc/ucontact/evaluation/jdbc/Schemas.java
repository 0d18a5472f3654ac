package ucontact.evaluation.jdbc;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import ucontact.evaluation.module.Module;
import ucontact.evaluation.module.Report;
import ucontact.evaluation.module.Site;

/**
 * Both MySQL schemas, each queried over a new TLS connection. Setting: {@code db.schemas}; others in
 * {@link Connections}.
 */
public final class Schemas implements Module {

    @Override
    public String name() {
        return "jdbc";
    }

    @Override
    public Report report(Site site) {
        Report report = new Report();
        String tls = "none";
        for (String schema : site.setting("db.schemas", "ccrepo,ccdata").split("\\s*,\\s*")) {
            try {
                tls = ask(site, schema);
                report.check(schema, true);
            } catch (SQLException | IllegalArgumentException | IllegalStateException error) {
                // The reason goes to the journal only: it may contain accounts and addresses.
                System.out.println("error schema " + schema + ": "
                        + String.valueOf(error.getMessage()).replaceAll("\\p{Cntrl}", " "));
                report.check(schema, false);
            }
        }
        return report.fact("tls", tls);
    }

    /** The connection's TLS version, once the schema has answered. */
    private static String ask(Site site, String schema) throws SQLException {
        try (Connection connection = Connections.open(site, schema);
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SHOW SESSION STATUS LIKE 'Ssl_version'")) {
            if (!row.next() || row.getString(2).isEmpty()) {
                throw new SQLException("the connection is not encrypted");
            }
            return row.getString(2);
        }
    }
}
