package ucontact.evaluation.jdbc;

import java.sql.Connection;
import java.sql.Driver;
import java.sql.SQLException;
import java.util.Properties;
import java.util.ServiceLoader;
import ucontact.evaluation.module.Site;

/**
 * New TLS connections to a server whose certificate is verified with the site's CA. Settings:
 * {@code db.host}, {@code db.port}, {@code db.user}, {@code db.password}, {@code db.ca} (PEM),
 * {@code db.timeout.ms}.
 */
final class Connections {

    private Connections() {}

    static Connection open(Site site, String schema) throws SQLException {
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
        return driver(url).connect(url, login);
    }

    private static Driver driver(String url) throws SQLException {
        for (Driver driver : ServiceLoader.load(Driver.class, Connections.class.getClassLoader())) {
            if (driver.acceptsURL(url)) {
                return driver;
            }
        }
        throw new SQLException("no JDBC driver in server/jdbc takes " + url);
    }
}
