import java.sql.DriverManager;
import java.util.Map;
import java.util.Properties;

/** A store through JDBC: prints one JSON object for each step that works. */
final class UseDuckDB {
    public static void main(String[] arguments) throws Exception {
        var properties = new Properties();
        properties.setProperty("duckdb.read_only", "true");
        properties.setProperty("allow_unsigned_extensions", "true");
        try (var connection = DriverManager.getConnection("jdbc:duckdb:emm1.duckdb", properties);
             var statement = connection.createStatement()) {
            var about = connection.getMetaData();
            Show.line(Map.of("duckdb", about.getDatabaseProductVersion()));

            var columns = about.getColumns(connection.getCatalog(), null, "%", "%");
            Show.line(Map.of("columns", Show.rows(columns, "TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME")));

            for (var row : Show.rows(about.getTables(null, null, "%", new String[] {"VIEW"}), "TABLE_NAME")) {
                var rows = Show.rows(statement.executeQuery("SELECT * FROM \"" + row.get(0) + "\" LIMIT 200"));
                Show.line(Map.of("view", row.get(0), "rows", rows));
            }

            statement.execute("LOAD './emm1.duckdb_extension'");
            var query = connection.prepareStatement("SELECT * FROM nearest('image', embedding('text', ?), k := 5)");
            query.setInt(1, 7);
            Show.line(Map.of("nearest", Show.rows(query.executeQuery())));
        }
    }
}
