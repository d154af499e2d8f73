import java.sql.DriverManager;
import java.util.Map;

/** Runs statements on the URL of a database and prints the rows of the last one. */
final class Run {
    public static void main(String[] arguments) throws Exception {
        try (var connection = DriverManager.getConnection(arguments[0]);
             var statement = connection.createStatement()) {
            for (int i = 1; i < arguments.length - 1; i++) {
                statement.execute(arguments[i]);
            }
            Show.line(Map.of("rows", Show.rows(statement.executeQuery(arguments[arguments.length - 1]))));
        }
    }
}
