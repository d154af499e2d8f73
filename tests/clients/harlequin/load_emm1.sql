LOAD './emm1.duckdb_extension';
