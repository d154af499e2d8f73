import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Reads the rows of results, and writes JSON. */
final class Show {
    /** Columns of each row by name, all of them by default. */
    static List<List<Object>> rows(ResultSet results, String... names) throws SQLException {
        try (results) {
            var all = new ArrayList<List<Object>>();
            while (results.next()) {
                var row = new ArrayList<Object>();
                if (names.length == 0) {
                    for (int i = 1; i <= results.getMetaData().getColumnCount(); i++) {
                        row.add(results.getObject(i));
                    }
                }
                for (String name : names) {
                    row.add(results.getObject(name));
                }
                all.add(row);
            }
            return all;
        }
    }

    static void line(Map<String, Object> what) {
        System.out.println(json(what));
    }

    private static String json(Object value) {
        if (value instanceof Map) {
            return ((Map<?, ?>) value).entrySet().stream()
                .map(entry -> json(entry.getKey()) + ": " + json(entry.getValue()))
                .collect(Collectors.joining(", ", "{", "}"));
        }
        if (value instanceof List) {
            return ((List<?>) value).stream().map(Show::json).collect(Collectors.joining(", ", "[", "]"));
        }
        if (value == null || value instanceof Number) {
            return String.valueOf(value);
        }
        return value.toString().chars()
            .mapToObj(c -> c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", c) : String.valueOf((char) c))
            .collect(Collectors.joining("", "\"", "\""));
    }
}
