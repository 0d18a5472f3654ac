package ucontact.evaluation.jdbc;

import java.sql.Connection;
import java.sql.Driver;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import java.util.ServiceLoader;
import ucontact.evaluation.module.Module;
import ucontact.evaluation.module.Report;
import ucontact.evaluation.module.Site;

/**
 * Both MySQL schemas, each queried over a new TLS connection to a server whose certificate is
 * verified with the site's CA. Settings: {@code db.host}, {@code db.port}, {@code db.user},
 * {@code db.password}, {@code db.schemas}, {@code db.ca} (PEM), {@code db.timeout.ms}.
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
        String timeout = Integer.toString(site.number("db.timeout.ms", 2000));
        Properties login = new Properties();
        // As properties: the driver does not decode percent signs in the URL.
        login.setProperty("user", site.setting("db.user", "integra"));
        login.setProperty("password", site.setting("db.password", ""));
        login.setProperty("sslMode", "verify-full");
        login.setProperty("serverSslCert", site.setting("db.ca", "/etc/ssl/ucontact/ca.pem"));
        login.setProperty("connectTimeout", timeout);
        login.setProperty("socketTimeout", timeout);
        String url = "jdbc:mariadb://" + site.setting("db.host", "127.0.0.1") + ":"
                + site.number("db.port", 3306) + "/" + schema;
        try (Connection connection = driver(url).connect(url, login);
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SHOW SESSION STATUS LIKE 'Ssl_version'")) {
            if (!row.next() || row.getString(2).isEmpty()) {
                throw new SQLException("the connection is not encrypted");
            }
            return row.getString(2);
        }
    }

    private static Driver driver(String url) throws SQLException {
        for (Driver driver : ServiceLoader.load(Driver.class, Schemas.class.getClassLoader())) {
            if (driver.acceptsURL(url)) {
                return driver;
            }
        }
        throw new SQLException("no JDBC driver in server/jdbc takes " + url);
    }
}
