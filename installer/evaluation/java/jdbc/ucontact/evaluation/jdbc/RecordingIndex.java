package ucontact.evaluation.jdbc;

import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import ucontact.evaluation.module.Recordings;
import ucontact.evaluation.module.Site;

/** {@code ccdata.recordings} and {@code ccdata.recording_access}. */
public final class RecordingIndex implements Recordings {

    private static final String SCHEMA = "ccdata";
    private static final String FIND =
            "SELECT path, bytes, sha256 FROM recordings WHERE id = ? AND deleted IS NULL";
    private static final String OF_CALL =
            "SELECT id, uniqueid, started, duration, src, dst, queue, agent, codec, bytes"
                    + " FROM recordings WHERE (uniqueid = ? OR linkedid = ?) AND deleted IS NULL"
                    + " ORDER BY started, id LIMIT 100";
    private static final String LOG =
            "INSERT INTO recording_access (time, user, source, recording, path, outcome, request)"
                    + " VALUES (UTC_TIMESTAMP(), ?, ?, ?, ?, ?, ?)";

    @Override
    public Recording find(Site site, long id) throws IOException {
        try (Connection connection = Connections.open(site, SCHEMA);
                PreparedStatement statement = connection.prepareStatement(FIND)) {
            statement.setLong(1, id);
            try (ResultSet row = statement.executeQuery()) {
                return row.next()
                        ? new Recording(row.getString(1), row.getLong(2), row.getString(3)) : null;
            }
        } catch (SQLException error) {
            throw new IOException("the index of recordings", error);
        }
    }

    @Override
    public List<Map<String, Object>> ofCall(Site site, String call) throws IOException {
        List<Map<String, Object>> found = new ArrayList<>();
        try (Connection connection = Connections.open(site, SCHEMA);
                PreparedStatement statement = connection.prepareStatement(OF_CALL)) {
            statement.setString(1, call);
            statement.setString(2, call);
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    Map<String, Object> one = new LinkedHashMap<>();
                    one.put("id", row.getLong("id"));
                    one.put("call", row.getString("uniqueid"));
                    one.put("started", row.getString("started"));
                    one.put("seconds", row.getInt("duration"));
                    one.put("from", row.getString("src"));
                    one.put("to", row.getString("dst"));
                    one.put("queue", row.getString("queue"));
                    one.put("agent", row.getString("agent"));
                    one.put("codec", row.getString("codec"));
                    one.put("bytes", row.getLong("bytes"));
                    found.add(one);
                }
            }
        } catch (SQLException error) {
            throw new IOException("the index of recordings", error);
        }
        return found;
    }

    @Override
    public void log(Site site, Access access) throws IOException {
        try (Connection connection = Connections.open(site, SCHEMA);
                PreparedStatement statement = connection.prepareStatement(LOG)) {
            statement.setString(1, access.user);
            statement.setString(2, access.source);
            statement.setLong(3, access.recording);
            statement.setString(4, access.path);
            statement.setString(5, access.outcome);
            statement.setString(6, access.request);
            statement.executeUpdate();
        } catch (SQLException error) {
            throw new IOException("the list of accesses", error);
        }
    }
}
