"""From the published files to one DuckDB file: find, read, check, and put in place when whole."""
