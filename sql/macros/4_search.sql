-- Search by registered names: macros over the functions of the extension, which must be loaded when they are created.
-- A macro cannot pass a subquery to a table function, so tables are unnested lists. Parameters are never named like a
-- column they meet: DuckDB would silently use the column. Macros call each other by unqualified names, so an attached store
-- needs USE; the store's id shows whether USE was forgotten.

CREATE MACRO called(embedding_name, label, store) AS (
    -- The setting is checked here too: before DuckDB 1.5.6 the extension cannot see that it has changed.
    -- The name is looked up in a list of all entries. In a condition on the table, a column of the caller could be mistaken
    -- for a column of the table; for the same reason, columns visible to a caller's expressions begin with emm1_.
    SELECT CASE WHEN current_setting('enable_external_access')
        THEN emm1_registered(as_name(embedding_name, label), emm1_registered.emm1_known)
        ELSE error('emm1 reads no embedding files here: enable_external_access is false') END
    FROM (
        SELECT list([e."name", d."path", e."path", e.ids_path, e.codes_path, e.metric, e.dataset || ' ' || e.modality,
             e."rows"::VARCHAR, e.dims::VARCHAR, e.dtype]) AS emm1_known
        FROM main.embeddings e, duckdb_databases() d
        WHERE d.database_name = current_database() AND belongs(e.store_id, store)
    ) emm1_registered
);
COMMENT ON MACRO called IS 'Internal: what is registered under a name in the store of this id: file, metric, items; an unknown name is an error';

CREATE MACRO embedding(embedding_name, item) AS
    emm1_vector(
        struct_extract(called(embedding_name, 'embedding(embedding_name VARCHAR, item BIGINT): embedding_name', 'STORE ID'), 'file'),
        as_number(item, 'embedding(embedding_name VARCHAR, item BIGINT): item'));
COMMENT ON MACRO embedding IS 'Vector of an item by its id, FLOAT[]; NULL where there is none';

CREATE MACRO embedding_file(embedding_name) AS
    struct_extract(called(embedding_name, 'embedding_file(embedding_name VARCHAR): embedding_name', 'STORE ID'), 'file');
COMMENT ON MACRO embedding_file IS 'The file of registered embeddings as the functions emm1_… take it: FILE, with ?ids=IDS and ?codes=CODES where those lie elsewhere';

CREATE MACRO embedding_metric(embedding_name) AS
    struct_extract(called(embedding_name, 'embedding_metric(embedding_name VARCHAR): embedding_name', 'STORE ID'), 'metric');
COMMENT ON MACRO embedding_metric IS 'The metric that embeddings were registered with';

CREATE MACRO registered(embedding_name) AS called(embedding_name, 'registered(embedding_name VARCHAR): embedding_name', 'STORE ID');
COMMENT ON MACRO registered IS 'Internal: what is registered under a name: file, metric, items; an unknown name is an error';

CREATE MACRO score(embedding_name, item, query) AS
    emm1_score(
        struct_extract(called(embedding_name, 'score(embedding_name VARCHAR, item BIGINT, query FLOAT[]): embedding_name', 'STORE ID'), 'file'),
        as_number(item, 'score(embedding_name VARCHAR, item BIGINT, query FLOAT[]): item'),
        as_numbers(query, try_cast(query AS FLOAT[]), 'score(embedding_name VARCHAR, item BIGINT, query FLOAT[]): query')::FLOAT[],
        struct_extract(called(embedding_name, 'score(embedding_name VARCHAR, item BIGINT, query FLOAT[]): embedding_name', 'STORE ID'), 'metric'));
COMMENT ON MACRO score IS 'Score of an item against a query, FLOAT; NULL where the item has no vector';

CREATE MACRO rank_of(embedding_name, item, query) AS
    emm1_rank(
        struct_extract(called(embedding_name, 'rank_of(embedding_name VARCHAR, item BIGINT, query FLOAT[]): embedding_name', 'STORE ID'), 'file'),
        as_number(item, 'rank_of(embedding_name VARCHAR, item BIGINT, query FLOAT[]): item'),
        as_numbers(query, try_cast(query AS FLOAT[]), 'rank_of(embedding_name VARCHAR, item BIGINT, query FLOAT[]): query')::FLOAT[],
        struct_extract(called(embedding_name, 'rank_of(embedding_name VARCHAR, item BIGINT, query FLOAT[]): embedding_name', 'STORE ID'), 'metric'));
COMMENT ON MACRO rank_of IS 'How many items have a better score against a query than an item (above), and how many others the same (equal): STRUCT(above BIGINT, equal BIGINT); NULL where the item has no vector';

CREATE MACRO similarity(name_a, id_a, name_b, id_b) AS
    emm1_similarity(
        struct_extract(called(name_a, 'similarity(name_a VARCHAR, id_a BIGINT, name_b VARCHAR, id_b BIGINT): name_a', 'STORE ID'), 'file'),
        as_number(id_a, 'similarity(name_a VARCHAR, id_a BIGINT, name_b VARCHAR, id_b BIGINT): id_a'),
        struct_extract(called(name_b, 'similarity(name_a VARCHAR, id_a BIGINT, name_b VARCHAR, id_b BIGINT): name_b', 'STORE ID'), 'file'),
        as_number(id_b, 'similarity(name_a VARCHAR, id_a BIGINT, name_b VARCHAR, id_b BIGINT): id_b'),
        struct_extract(called(name_a, 'similarity(name_a VARCHAR, id_a BIGINT, name_b VARCHAR, id_b BIGINT): name_a', 'STORE ID'), 'metric'));
COMMENT ON MACRO similarity IS 'Score of a pair of items, FLOAT, by the metric of name_a; NULL where one has no vector';

-- The arguments are in a subquery: if a constant query were an argument of the function itself, DuckDB's optimizer would
-- process its numbers again and again.

CREATE MACRO nearest(embedding_name, query, k := 10) AS TABLE
    SELECT unnest(
        emm1_topk(
            a.emm1_embeddings.file,
            as_numbers(a.emm1_query, try_cast(a.emm1_query AS FLOAT[]), 'nearest(embedding_name VARCHAR, query FLOAT[], k BIGINT := 10): query')::FLOAT[],
            as_number(a.emm1_k, 'nearest(embedding_name VARCHAR, query FLOAT[], k BIGINT := 10): k'),
            a.emm1_embeddings.metric),
        recursive := true)
    FROM (
        SELECT query AS emm1_query, k AS emm1_k,
            called(embedding_name, 'nearest(embedding_name VARCHAR, query FLOAT[], k BIGINT := 10): embedding_name', 'STORE ID') AS emm1_embeddings
    ) a;
COMMENT ON MACRO TABLE nearest IS 'The k items nearest to a query, exactly: rank BIGINT (from 1), id BIGINT, score FLOAT; equal scores are ordered by ascending id. In LATERAL it is the join of every row with its nearest';

CREATE MACRO nearest_among(embedding_name, query, ids, k := 10) AS TABLE
    SELECT unnest(
        emm1_topk_among(
            a.emm1_embeddings.file,
            as_numbers(a.emm1_query, try_cast(a.emm1_query AS FLOAT[]), 'nearest_among(embedding_name VARCHAR, query FLOAT[], ids BIGINT[], k BIGINT := 10): query')::FLOAT[],
            as_ids(a.emm1_ids, 'nearest_among(embedding_name VARCHAR, query FLOAT[], ids BIGINT[], k BIGINT := 10): ids'),
            as_number(a.emm1_k, 'nearest_among(embedding_name VARCHAR, query FLOAT[], ids BIGINT[], k BIGINT := 10): k'),
            a.emm1_embeddings.metric),
        recursive := true)
    FROM (
        SELECT query AS emm1_query, ids AS emm1_ids, k AS emm1_k,
            called(embedding_name, 'nearest_among(embedding_name VARCHAR, query FLOAT[], ids BIGINT[], k BIGINT := 10): embedding_name', 'STORE ID') AS emm1_embeddings
    ) a;
COMMENT ON MACRO TABLE nearest_among IS 'The k items of a list of ids nearest to a query, as nearest; repeated ids count once, unknown ids and NULLs are ignored';

CREATE MACRO within(embedding_name, query, threshold) AS TABLE
    SELECT unnest(
        emm1_within(
            a.emm1_embeddings.file,
            as_numbers(a.emm1_query, try_cast(a.emm1_query AS FLOAT[]), 'within(embedding_name VARCHAR, query FLOAT[], threshold DOUBLE): query')::FLOAT[],
            as_number(a.emm1_threshold, 'within(embedding_name VARCHAR, query FLOAT[], threshold DOUBLE): threshold')::DOUBLE,
            a.emm1_embeddings.metric),
        recursive := true)
    FROM (
        SELECT query AS emm1_query, threshold AS emm1_threshold,
            called(embedding_name, 'within(embedding_name VARCHAR, query FLOAT[], threshold DOUBLE): embedding_name', 'STORE ID') AS emm1_embeddings
    ) a;
COMMENT ON MACRO TABLE within IS 'Every item at least that similar to a query (l2: at most that far), best first: id BIGINT, score FLOAT';

CREATE MACRO knn(queries, base, k := 10) AS TABLE
    SELECT q.query_id, unnest(
        emm1_topk(q.emm1_base.file, emm1_vector(q.emm1_queries.file, q.query_id), q.emm1_k, q.emm1_base.metric),
        recursive := true)
    FROM (
        SELECT unnest(emm1_ids(struct_extract(a.emm1_queries, 'file'))) AS query_id, a.*
        FROM (
            SELECT called(queries, 'knn(queries VARCHAR, base VARCHAR, k BIGINT := 10): queries', 'STORE ID') AS emm1_queries,
                called(base, 'knn(queries VARCHAR, base VARCHAR, k BIGINT := 10): base', 'STORE ID') AS emm1_base,
                as_number(k, 'knn(queries VARCHAR, base VARCHAR, k BIGINT := 10): k') AS emm1_k
        ) a
    ) q;
COMMENT ON MACRO TABLE knn IS 'The k nearest in base of every item of queries, by the metric of base: query_id BIGINT, rank BIGINT (from 1), id BIGINT, score FLOAT';

CREATE MACRO eshot_file(embedding_name, kind, store) AS (
    SELECT CASE WHEN found.embeddings.items = 'eshot ' || kind THEN found.embeddings.file
        ELSE error('''' || embedding_name::VARCHAR || ''' is of ' || found.embeddings.items || ', not of eshot ' || kind) END
    FROM (
        SELECT called(embedding_name, 'eshot_zero_shot(audio VARCHAR, points VARCHAR): ' || kind, store) AS embeddings
    ) found
);
COMMENT ON MACRO eshot_file IS 'Internal: the file of registered embeddings of an EShot modality';

CREATE MACRO eshot_zero_shot(audio, points) AS TABLE
    -- As the published script: a class is the mean of its raw vectors, and samples of one modality are compared with the
    -- classes of the other by cosine. Equal similarities are ordered as in the report: the later class first.
    WITH listed AS (
        SELECT c.rowid AS place, c.category, c.modality::VARCHAR AS kind, c.eshot_id,
            CASE c.modality WHEN 'audio' THEN eshot_file(audio, 'audio', 'STORE ID') ELSE eshot_file(points, 'points', 'STORE ID') END AS file
        FROM eshot.categories c, main.emm1_store s
        WHERE belongs(s.store_id, 'STORE ID')
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
COMMENT ON MACRO TABLE eshot_zero_shot IS 'EShot by registered names: a row for each sample, class it belongs to and direction, with all categories from the most to the least similar (predicted VARCHAR[])';
