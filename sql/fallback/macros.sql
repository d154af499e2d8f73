-- If the extension cannot be loaded, the functions that Python cannot replace raise an error. The macros are temporary:
-- nothing stays in a file. The error is where DuckDB must evaluate it, whichever columns a query asks for. The aggregate
-- inside the first macro lets it be used with GROUP BY and OVER.

CREATE OR REPLACE TEMP MACRO emm1_centroid(file, id) AS
    CASE WHEN count(id) >= 0
        THEN error('emm1_centroid needs the emm1 extension: write emm1_centroid_of(file, list(id)) instead')::FLOAT[] END;

CREATE OR REPLACE TEMP MACRO emm1_scan(file) AS TABLE
    SELECT NULL::BIGINT AS id, NULL::FLOAT[] AS vector
    WHERE error('emm1_scan needs the emm1 extension: unnest(emm1_ids(file)) gives the ids, emm1_vector(file, id) a vector');

CREATE OR REPLACE TEMP MACRO emm1_knn(queries, base, k := 10, metric := 'cosine') AS TABLE
    SELECT NULL::BIGINT AS query_id, NULL::BIGINT AS rank, NULL::BIGINT AS id, NULL::FLOAT AS score
    WHERE error('emm1_knn needs the emm1 extension: emm1_topk(base, emm1_vector(queries, id), k, metric) gives the same, id by id');
