import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * The cells of MySQL's Connector/J (jdbc:mysql) and of MariaDB's (jdbc:mariadb). The first argument
 * is one of these; usage and output are else those of ../python/cells.py.
 *
 * <p>No statement or stream is closed here: both drivers would read it to its end, which never comes.
 */
class Cells {
    interface Cell {
        void run() throws Exception;
    }

    static String driver, host, port, usersPort, tlsPort, name;
    static boolean mysql;
    static final String PASSWORD = System.getenv("VSTREAMD_CLIENTS_PASSWORD");
    static final int SECONDS_MAX = 15;
    static final String[] TLS = {"sslMode=REQUIRED"}, CLEAR = {"sslMode=DISABLED"};

    static Connection connect(String port, String user, String password, String[]... options) throws SQLException {
        Properties properties = new Properties();
        properties.put("user", user);
        properties.put("password", password);
        for (String option : Arrays.stream(options).flatMap(Arrays::stream).toList()) {
            properties.put(option.split("=")[0], option.split("=")[1]);
        }
        return DriverManager.getConnection(driver + "://" + host + ":" + port + "/commerce", properties);
    }

    static Connection anybody(String... options) throws SQLException {
        return connect(port, "ann", "", CLEAR, options);
    }

    static void same(Object found, Object expected) {
        if (!Objects.equals(found, expected)) {
            throw new AssertionError(found + " instead of " + expected);
        }
    }

    static List<String> next(ResultSet rows) throws SQLException {
        if (!rows.next()) {
            return null;
        }
        List<String> row = new ArrayList<>();
        for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
            row.add(rows.getString(i));
        }
        return row;
    }

    static List<List<String>> query(Connection connection, String text) throws SQLException {
        List<List<String>> all = new ArrayList<>();
        Statement statement = connection.createStatement();
        if (statement.execute(text)) {
            ResultSet rows = statement.getResultSet();
            for (List<String> row = next(rows); row != null; row = next(rows)) {
                all.add(row);
            }
        }
        return all;
    }

    static void login(String port, String user, String[]... options) throws SQLException {
        Connection connection = connect(port, user, PASSWORD, options);
        same(query(connection, "SELECT USER()"), List.of(List.of(user + "@" + host)));
        connection.close();
    }

    static void cached() throws SQLException {
        login(usersPort, name + "_cached", trusting());
        login(usersPort, name + "_cached", CLEAR);
    }

    /** TLS without a look at the certificate, which the server made itself. */
    static String[] trusting() {
        return mysql ? TLS : new String[] {"sslMode=trust"};
    }

    /** A stream that has shown the row of the copy and one that was written later. */
    static class Stream {
        final Connection writer, reader;
        final String id;
        final Statement statement;
        final ResultSet rows;

        Stream(String table, boolean prepared, int fetchSize, String... options) throws SQLException {
            writer = anybody();
            query(writer, "CREATE TABLE " + table + " (id INT PRIMARY KEY, v TEXT)");
            query(writer, "INSERT INTO " + table + " VALUES (1, 'a')");
            reader = anybody(options);
            id = query(reader, "SELECT CONNECTION_ID()").get(0).get(0);
            query(reader, "SET workload = OLAP");
            String text = "VSTREAM * FROM " + table;
            // executeQuery() will not do: Connector/J knows only some statements as queries.
            if (prepared) {
                PreparedStatement ready = reader.prepareStatement(text);
                ready.setFetchSize(fetchSize);
                ready.execute();
                statement = ready;
            } else {
                statement = reader.createStatement();
                statement.setFetchSize(fetchSize);
                statement.execute(text);
            }
            rows = statement.getResultSet();
            same(next(rows), List.of("+", "1", "a"));
            query(writer, "INSERT INTO " + table + " VALUES (2, 'b')");
            same(next(rows), List.of("+", "2", "b"));
            if (prepared) {
                // Both drivers send the text instead where a server prepares nothing, and tell nobody.
                // A cursor that nobody fetches from keeps the session idle.
                String command = query(writer, "SHOW PROCESSLIST").stream()
                    .filter(row -> row.get(0).equals(id)).findFirst().orElseThrow().get(4);
                same(command, options[0].startsWith("useCursorFetch") ? "Sleep" : "Execute");
            }
        }

        /** Row by row, as each driver wants to be asked for it. */
        static Stream rowByRow(String table, boolean prepared) throws SQLException {
            return new Stream(table, prepared, mysql ? Integer.MIN_VALUE : 1, "useServerPrepStmts=" + prepared);
        }

        void leave() throws Exception {
            reader.abort(Runnable::run);
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS_MAX);
            while (query(writer, "SHOW PROCESSLIST").stream().anyMatch(row -> row.get(0).equals(id))) {
                if (System.nanoTime() > end) {
                    throw new AssertionError("the server did not notice the end");
                }
                Thread.sleep(50);
            }
        }

        void ends(int code) {
            try {
                same(next(rows), "error " + code);
            } catch (SQLException error) {
                same(error.getErrorCode(), code);
            }
        }

        void goesOn() throws SQLException {
            same(query(reader, "SELECT 42"), List.of(List.of("42")));
        }
    }

    static void limit() throws SQLException {
        Connection connection = anybody();
        query(connection, "CREATE TABLE limit_" + name + " (id INT PRIMARY KEY)");
        query(connection, "INSERT INTO limit_" + name + " VALUES (1), (2), (3)");
        query(connection, "SET workload = OLAP");
        List<List<String>> rows = query(connection, "VSTREAM * FROM limit_" + name + " LIMIT 2");
        same(rows, List.of(List.of("+", "1"), List.of("+", "2")));
        same(query(connection, "SELECT 42"), List.of(List.of("42")));
    }

    static void edges() throws SQLException {
        Connection connection = anybody("maxAllowedPacket=33554432");
        query(connection, "CREATE TABLE edges_" + name + " (id INT PRIMARY KEY, v LONGTEXT)");
        for (int payload = (1 << 24) - 2; payload <= (1 << 24) + 1; payload++) {
            String head = "INSERT INTO edges_" + name + " VALUES (" + payload + ", '";
            // What is sent is the command's byte, the text and its end; what comes is four bytes of
            // length and the value.
            int length = payload - 1 - head.length() - 2;
            query(connection, head + "a".repeat(length) + "')");
            String more = "b".repeat(payload - 4 - length);
            String text = "SELECT CONCAT(v, '" + more + "') FROM edges_" + name + " WHERE id = " + payload;
            String value = query(connection, text).get(0).get(0);
            same(value.length(), payload - 4);
            same(value.indexOf('b'), length);
        }
        query(connection, "DROP TABLE edges_" + name);
    }

    static void cursor() throws Exception {
        Connection connection = anybody("useCursorFetch=true");
        query(connection, "CREATE TABLE cursor_" + name + " (id INT PRIMARY KEY)");
        query(connection, "INSERT INTO cursor_" + name + " VALUES (1), (2), (3), (4), (5)");
        PreparedStatement statement = connection.prepareStatement("SELECT id FROM cursor_" + name + " WHERE id > ?");
        statement.setFetchSize(2);
        for (int above : new int[] {1, 5, 0}) {
            statement.setInt(1, above);
            statement.execute();
            ResultSet rows = statement.getResultSet();
            for (int id = above + 1; id <= 5; id++) {
                same(next(rows), List.of("" + id));
            }
            same(next(rows), null);
        }
        new Stream("cursors_" + name, true, 10, "useCursorFetch=true").leave();
    }

    static void params() throws SQLException {
        Connection connection = anybody("useServerPrepStmts=true");
        query(connection, "CREATE TABLE params_" + name + " (id INT PRIMARY KEY, i BIGINT, u BIGINT UNSIGNED,"
            + " d DOUBLE, n DECIMAL(20,5), s TEXT, b BLOB, x INT, da DATE, dt DATETIME(6), ti TIME(6))");
        List<Object> sent = Arrays.asList(Long.MIN_VALUE, BigInteger.TWO.pow(64).subtract(BigInteger.ONE), 1.5,
            new BigDecimal("12345.67890"), "it's \"q\" \\ é", "00FF27", null, LocalDate.of(2026, 11, 22),
            LocalDateTime.of(2026, 11, 22, 12, 34, 56, 789012000), LocalTime.of(12, 34, 56, 789000000));
        PreparedStatement insert = connection.prepareStatement(
            "INSERT INTO params_" + name + " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        for (int i = 0; i < sent.size(); i++) {
            if (mysql && i == 1) {
                insert.setObject(i + 1, sent.get(i), com.mysql.cj.MysqlType.BIGINT_UNSIGNED);
            } else {
                insert.setObject(i + 1, i == 5 ? new byte[] {0, -1, 39} : sent.get(i));
            }
        }
        insert.execute();
        String text = "SELECT i, u, d, n, s, HEX(b), x, da, dt, ti FROM params_" + name + " WHERE id = ";
        ResultSet rows = connection.createStatement().executeQuery(text + 1);
        PreparedStatement select = connection.prepareStatement(text + "?");
        select.setLong(1, 1);
        for (ResultSet found : List.of(rows, select.executeQuery())) {
            same(found.next(), true);
            for (int i = 0; i < sent.size(); i++) {
                Class<?> type = sent.get(i) == null ? Integer.class : sent.get(i).getClass();
                same(found.getObject(i + 1, type), sent.get(i));
            }
        }
    }

    static void forgets(Connection connection, Cell renew) throws Exception {
        query(connection, "SET @kept = 1");
        renew.run();
        same(query(connection, "SELECT @kept").get(0).get(0), null);
    }

    static void reset() throws Exception {
        Connection connection = anybody();
        forgets(connection, connection.unwrap(com.mysql.cj.jdbc.JdbcConnection.class)::resetServerState);
    }

    static void user() throws Exception {
        Connection connection = connect(usersPort, name + "_user", PASSWORD, TLS);
        com.mysql.cj.jdbc.JdbcConnection plain = connection.unwrap(com.mysql.cj.jdbc.JdbcConnection.class);
        forgets(connection, () -> plain.changeUser(name + "_native", PASSWORD));
        same(query(connection, "SELECT USER()"), List.of(List.of(name + "_native@" + host)));
    }

    static void kill() throws SQLException {
        Stream stream = Stream.rowByRow("kill_" + name, false);
        query(stream.writer, "KILL QUERY " + stream.id);
        stream.ends(1317);
        stream.goesOn();
    }

    static void cancel() throws Exception {
        if (!mysql) {
            // MariaDB's cancels while another thread waits for a row, and at no other time.
            Stream stream = Stream.rowByRow("cancel_" + name, false);
            CompletableFuture<Void> ended = CompletableFuture.runAsync(() -> stream.ends(1317));
            while (!ended.isDone()) {
                Thread.sleep(200);
                stream.statement.cancel();
            }
            ended.get();
            stream.goesOn();
            return;
        }
        // Connector/J cancels while execute() is under way only: without streaming, it reads all rows.
        Connection connection = anybody();
        query(connection, "CREATE TABLE cancel_" + name + " (id INT PRIMARY KEY)");
        query(connection, "SET workload = OLAP");
        Statement statement = connection.createStatement();
        CompletableFuture<Boolean> done = CompletableFuture.supplyAsync(() -> {
            try {
                return statement.execute("VSTREAM * FROM cancel_" + name);
            } catch (SQLException error) {
                // The driver notes its own cancel() behind its KILL QUERY: a 1317 that overtakes the
                // note is thrown as it came, else a class of the driver's, which has no code (0).
                return error.getErrorCode() == 1317
                    || error instanceof com.mysql.cj.jdbc.exceptions.MySQLStatementCancelledException;
            }
        });
        Connection watcher = anybody();
        while (query(watcher, "SHOW PROCESSLIST").stream().noneMatch(
            row -> row.toString().contains("streaming, VSTREAM * FROM cancel_" + name))) {
            Thread.sleep(50);
        }
        statement.cancel();
        same(done.get(SECONDS_MAX, TimeUnit.SECONDS), true);
        same(query(connection, "SELECT 42"), List.of(List.of("42")));
    }

    public static void main(String[] arguments) {
        driver = arguments[0];
        mysql = driver.equals("jdbc:mysql");
        host = arguments[1];
        port = arguments[2];
        usersPort = arguments[3];
        tlsPort = arguments[4];
        name = arguments[5];
        String[] key = {"allowPublicKeyRetrieval=true"};
        Map<String, Cell> cells = new HashMap<>();
        cells.put("tls", () -> login(tlsPort, name + "_tls", trusting()));
        cells.put("rsa", () -> login(usersPort, name + "_rsa", CLEAR, key));
        cells.put("cached", Cells::cached);
        cells.put("native", () -> login(usersPort, name + "_native", CLEAR));
        cells.put("plain", () -> same(query(anybody(), "SELECT USER()"), List.of(List.of("ann@" + host))));
        cells.put("text", () -> Stream.rowByRow("text_" + name, false).leave());
        cells.put("binary", () -> Stream.rowByRow("binary_" + name, true).leave());
        cells.put("limit", Cells::limit);
        cells.put("edges", Cells::edges);
        cells.put("cursor", Cells::cursor);
        cells.put("params", Cells::params);
        cells.put("reset", Cells::reset);
        cells.put("user", Cells::user);
        cells.put("kill", Cells::kill);
        cells.put("cancel", Cells::cancel);
        for (String cell : Arrays.asList(arguments).subList(6, arguments.length)) {
            try {
                cells.get(cell).run();
                System.out.println(cell + " PASS");
            } catch (Throwable error) {
                Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
                String detail = cause.toString().replaceAll("\\s+", " ");
                System.out.println(cell + " FAIL " + detail.substring(0, Math.min(300, detail.length())));
            }
        }
        // Not by return: threads of the drivers may still read.
        Runtime.getRuntime().halt(0);
    }
}
