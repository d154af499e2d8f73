-- Where the extension cannot be loaded, what Python cannot stand in for says so. Temporary: nothing stays in a file.

CREATE OR REPLACE TEMP MACRO emm1_centroid(file, id) AS
    error('emm1_centroid needs the emm1 extension: write emm1_centroid_of(file, list(id)) instead');

CREATE OR REPLACE TEMP MACRO emm1_scan(file) AS TABLE
    SELECT error('emm1_scan needs the emm1 extension: unnest(emm1_ids(file)) gives the ids, emm1_vector(file, id) a vector');

CREATE OR REPLACE TEMP MACRO emm1_knn(queries, base, k := 10, metric := 'cosine') AS TABLE
    SELECT error('emm1_knn needs the emm1 extension: emm1_topk(base, emm1_vector(queries, id), k, metric) gives the same, id by id');
