-- Search by registered names: macros over the functions of the extension, which must be loaded while they are made.
-- A macro cannot feed a subquery to a table function, so tables are lists unnested. Parameters are never named like a
-- column they meet: DuckDB would silently take the column. Macros call each other by name only: they need USE under ATTACH.

CREATE MACRO store_file(stored) AS
    -- Relative to the folder of the store, unless it begins as an absolute path of any system does.
    CASE WHEN regexp_matches(stored, '^([/\\]|[A-Za-z]:)') THEN stored
    ELSE (
        SELECT regexp_replace(d."path", '[^/\\]*$', '') FROM duckdb_databases() d WHERE d.database_name = current_database()
    ) || stored END;
COMMENT ON MACRO store_file IS 'Path of a file that the store names: relative ones lie under the folder of the store';

CREATE MACRO unknown_embedding(embedding_name) AS
    error('no embeddings are called ''' || coalesce(embedding_name, 'NULL') || ''': ' || coalesce(
        'registered are ' || (SELECT string_agg(e."name", ', ' ORDER BY e."name") FROM embeddings e),
        'none is registered') || ' (add some with `emm1 embeddings add`)');
COMMENT ON MACRO unknown_embedding IS 'The error for a name that is not registered';

CREATE MACRO embedding_file(embedding_name) AS
    CASE WHEN NOT current_setting('enable_external_access')
        THEN error('emm1 reads no embedding files here: enable_external_access is false')::VARCHAR
    ELSE coalesce(
        (
            SELECT store_file(e."path") || coalesce('?ids=' || store_file(e.ids_path), '')
            FROM embeddings e WHERE e."name" = embedding_name
        ),
        unknown_embedding(embedding_name)::VARCHAR) END;
COMMENT ON MACRO embedding_file IS 'The file of registered embeddings as the functions emm1_… take it: FILE, or FILE?ids=IDS';

CREATE MACRO embedding_metric(embedding_name) AS
    coalesce(
        (SELECT e.metric FROM embeddings e WHERE e."name" = embedding_name),
        unknown_embedding(embedding_name)::VARCHAR);
COMMENT ON MACRO embedding_metric IS 'The metric that embeddings were registered with';

CREATE MACRO embedding(embedding_name, item) AS emm1_vector(embedding_file(embedding_name), item);
COMMENT ON MACRO embedding IS 'Vector of an item by its id, FLOAT[]; NULL where there is none';

CREATE MACRO score(embedding_name, item, query) AS
    emm1_score(embedding_file(embedding_name), item, query::FLOAT[], embedding_metric(embedding_name));
COMMENT ON MACRO score IS 'Score of an item against a query; NULL where the item has no vector';

CREATE MACRO similarity(name_a, id_a, name_b, id_b) AS
    emm1_similarity(embedding_file(name_a), id_a, embedding_file(name_b), id_b, embedding_metric(name_a));
COMMENT ON MACRO similarity IS 'Score of a pair of items, by the metric of the first embeddings; NULL where one has no vector';

CREATE MACRO nearest(embedding_name, query, k := 10) AS TABLE
    SELECT unnest(
        emm1_topk(embedding_file(embedding_name), query::FLOAT[], k, embedding_metric(embedding_name)),
        recursive := true);
COMMENT ON MACRO TABLE nearest IS 'The k items nearest to a query, exactly: rank (from 1), id, score. In LATERAL it is the join of every row with its nearest';

CREATE MACRO nearest_among(embedding_name, query, ids, k := 10) AS TABLE
    SELECT unnest(
        emm1_topk_among(embedding_file(embedding_name), query::FLOAT[], ids, k, embedding_metric(embedding_name)),
        recursive := true);
COMMENT ON MACRO TABLE nearest_among IS 'The k items of a list of ids nearest to a query, exactly: rank (from 1), id, score';

CREATE MACRO within(embedding_name, query, threshold) AS TABLE
    SELECT unnest(
        emm1_within(embedding_file(embedding_name), query::FLOAT[], threshold, embedding_metric(embedding_name)),
        recursive := true);
COMMENT ON MACRO TABLE within IS 'Every item at least that similar to a query (l2: at most that far): id, score';

CREATE MACRO knn(queries, base, k := 10) AS TABLE
    SELECT q.query_id, n.rank, n.id, n.score
    FROM (SELECT unnest(emm1_ids(embedding_file(queries))) AS query_id) q,
        LATERAL (
            SELECT unnest(
                emm1_topk(
                    embedding_file(base),
                    emm1_vector(embedding_file(queries), q.query_id),
                    k,
                    embedding_metric(base)),
                recursive := true)
        ) n;
COMMENT ON MACRO TABLE knn IS 'The k nearest in one embedding of every item of another: query_id, rank (from 1), id, score';

CREATE MACRO eshot_file(embedding_name, kind) AS
    CASE WHEN EXISTS (
        FROM embeddings e
        WHERE e."name" = embedding_name AND (e.dataset <> 'eshot' OR e.modality <> kind)
    ) THEN error('''' || embedding_name || ''' is not of eshot ' || kind)::VARCHAR
    ELSE embedding_file(embedding_name) END;
COMMENT ON MACRO eshot_file IS 'The file of registered embeddings of an EShot modality';

CREATE MACRO eshot_zero_shot(audio, points) AS TABLE
    -- As the published script: a class is the mean of its raw vectors, and samples of one modality are compared with the
    -- classes of the other by cosine. Equal similarities are ordered as in the report: the later class first.
    WITH listed AS (
        SELECT c.rowid AS place, c.category, c.modality::VARCHAR AS kind, c.eshot_id,
            CASE c.modality WHEN 'audio' THEN eshot_file(audio, 'audio') ELSE eshot_file(points, 'points') END AS file
        FROM eshot.categories c
    ),
    samples AS MATERIALIZED (
        SELECT l.* FROM listed l WHERE emm1_vector(l.file, l.eshot_id) IS NOT NULL
    ),
    means AS MATERIALIZED (
        SELECT s.category, s.kind, emm1_centroid_of(any_value(s.file), list(s.eshot_id)) AS mean
        FROM samples s
        WHERE s.category IN (SELECT b.category FROM samples b GROUP BY b.category HAVING count(DISTINCT b.kind) = 2)
        GROUP BY s.category, s.kind
    ),
    scored AS (
        SELECT s.place, s.kind, s.eshot_id, s.category, m.category AS candidate,
            emm1_score(s.file, s.eshot_id, m.mean, 'cosine') AS similarity
        FROM samples s
        JOIN means own ON own.category = s.category AND own.kind = s.kind
        JOIN means m ON m.kind <> s.kind
    )
    SELECT CASE r.kind WHEN 'audio' THEN 'audio_to_points' ELSE 'points_to_audio' END AS direction,
        r.eshot_id, r.category, list(r.candidate ORDER BY r.similarity DESC, r.candidate DESC) AS predicted
    FROM scored r
    GROUP BY r.place, r.kind, r.eshot_id, r.category;
COMMENT ON MACRO TABLE eshot_zero_shot IS 'EShot by registered names: a row for each sample, class it belongs to and direction, with all categories from the most to the least similar';
