import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** The calls that DBeaver makes when a store is opened and browsed: prints one JSON object for each step that works. */
final class DBeaver {
    public static void main(String[] arguments) throws Exception {
        // The connection's settings: driver properties, then the bootstrap query.
        var properties = new Properties();
        properties.setProperty("duckdb.read_only", "true");
        properties.setProperty("allow_unsigned_extensions", "true");
        try (var connection = DriverManager.getConnection("jdbc:duckdb:emm1.duckdb", properties)) {
            try (var statement = connection.createStatement()) {
                statement.execute("LOAD './emm1.duckdb_extension'");
            }
            browse(connection);
            try (var statement = connection.createStatement()) {
                var found = statement.executeQuery("SELECT * FROM nearest('image', embedding('text', 7), k := 5)");
                Show.line(Map.of("nearest", Show.rows(found)));
            }
        }
    }

    private static void browse(Connection connection) throws SQLException {
        var about = connection.getMetaData();
        Show.line(Map.of("duckdb", about.getDatabaseProductVersion()));
        about.getSQLKeywords();
        about.getTypeInfo().close();
        about.getTableTypes().close();
        about.getCatalogs().close();

        // The navigator: the store's schemas, their tables, and what a click on each table shows.
        var store = connection.getCatalog();
        var columns = new ArrayList<List<Object>>();
        var remarks = new ArrayList<List<Object>>();
        var views = new ArrayList<String>();
        for (var row : Show.rows(about.getSchemas(store, null), "TABLE_SCHEM")) {
            var schema = (String) row.get(0);
            about.getProcedures(store, schema, "%").close();
            about.getFunctions(store, schema, "%").close();
            for (var table : Show.rows(about.getTables(store, schema, "%", null), "TABLE_NAME", "TABLE_TYPE", "REMARKS")) {
                var name = (String) table.get(0);
                remarks.add(Arrays.asList(schema, name, null, table.get(2)));
                for (var column : Show.rows(about.getColumns(store, schema, name, "%"), "COLUMN_NAME", "REMARKS")) {
                    columns.add(List.of(schema, name, column.get(0)));
                    remarks.add(Arrays.asList(schema, name, column.get(0), column.get(1)));
                }
                about.getPrimaryKeys(store, schema, name).close();
                about.getImportedKeys(store, schema, name).close();
                about.getExportedKeys(store, schema, name).close();
                about.getIndexInfo(store, schema, name, false, true).close();
                if (table.get(1).equals("VIEW")) {
                    views.add(name);
                }
            }
        }
        Show.line(Map.of("columns", columns, "remarks", remarks));

        // The Properties and the Data tab of each view.
        for (var view : views) {
            var source = "SELECT sql FROM duckdb_views() WHERE database_name = ? AND schema_name = ? AND view_name = ?";
            try (var statement = connection.prepareStatement(source)) {
                statement.setString(1, store);
                statement.setString(2, "main");
                statement.setString(3, view);
                statement.executeQuery().close();
            }
            try (var statement = connection.createStatement()) {
                var rows = statement.executeQuery("SELECT * FROM " + store + ".main.\"" + view + "\" LIMIT 200");
                Show.line(Map.of("view", view, "rows", Show.rows(rows)));
            }
        }
    }
}
