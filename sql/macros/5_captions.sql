-- Search for words in captions, by the index that emm1 index captions makes; needs no extension. No column here is called like a
-- parameter: DuckDB would silently use the column.

CREATE MACRO folded_words(given) AS
    -- Letters and digits in one case, without marks; everything else stands between words. Most captions are ASCII, for which
    -- this takes a fraction of the time. After a NUL strip_accents finds nothing.
    CASE WHEN strlen(given) = length(given) THEN regexp_extract_all(lower(given), '[a-z0-9]+')
    ELSE regexp_extract_all(
        regexp_replace(lower(strip_accents(replace(given, chr(0), ' '))), '([\p{Han}\p{Hiragana}])', ' \1 ', 'g'),
        '[\p{L}\p{N}]+') END;
COMMENT ON MACRO folded_words IS 'Internal: the words of a text, case and accents folded; every Han and Hiragana character is one';

CREATE MACRO match_captions(words, k := 20) AS TABLE
    WITH given AS MATERIALIZED (
        SELECT as_name(a.emm1_words, 'match_captions(words VARCHAR, k BIGINT := 20): words') AS typed, i.captions, i.average
        FROM (SELECT words AS emm1_words, k AS emm1_k) a, main.emm1_store s, (
            SELECT max(x.captions) AS captions, max(x.occurrences / x.captions) AS average FROM main.caption_index x
        ) i
        WHERE CASE
            WHEN NOT belongs(s.store_id, 'STORE ID') THEN false
            WHEN as_number(a.emm1_k, 'match_captions(words VARCHAR, k BIGINT := 20): k') IS NULL
                OR try_cast(a.emm1_k AS BIGINT) IS DISTINCT FROM try_cast(a.emm1_k AS DOUBLE)
            THEN error(concat('k must be a whole number that fits BIGINT, not ', coalesce(a.emm1_k::VARCHAR, 'NULL')))
            WHEN try_cast(a.emm1_k AS BIGINT) < 1 THEN error(concat('k must be at least 1, not ', a.emm1_k::VARCHAR))
            WHEN i.captions IS NULL
            THEN error('the captions of this store have no index yet: make it with `emm1 index captions STORE`')
            ELSE true
        END
    ),
    asked AS MATERIALIZED (
        SELECT DISTINCT unnest(folded_words(g.typed)) AS word FROM given g
    ),
    -- The words of the captions that are asked for, the rarest first, with their weights.
    found AS MATERIALIZED (
        SELECT w.word, w.number, g.average,
            ln(1 + (g.captions - w.captions + 0.5e0) / (w.captions + 0.5e0)) AS weight,
            row_number() OVER (ORDER BY w.captions, w.number) AS place
        FROM asked a JOIN main.caption_words w ON w.word = a.word CROSS JOIN given g
    ),
    -- What BM25 (k1 = 1.2, b = 0.75) gives for the rarest word, in every caption that has it. Sums of decimals do not depend on
    -- their order.
    rarest AS MATERIALIZED (
        SELECT p.dataset, p.id,
            (f.weight * p.occurrences * 2.2e0 / (p.occurrences + 1.2e0 * (0.25e0 + 0.75e0 * p.length / f.average)))::DECIMAL(18, 9) AS part
        FROM main.caption_postings p
        JOIN (
            SELECT y.* FROM found y WHERE y.place = 1 AND (SELECT count(*) FROM found) = (SELECT count(*) FROM asked)
        ) f ON f.number = p.word
        WHERE p.occurrences > 0
    ),
    others AS (
        SELECT p.dataset, p.id, count(*) AS matches,
            sum((f.weight * p.occurrences * 2.2e0 / (p.occurrences + 1.2e0 * (0.25e0 + 0.75e0 * p.length / f.average)))::DECIMAL(18, 9)) AS part
        FROM main.caption_postings p
        JOIN (SELECT y.* FROM found y WHERE y.place > 1) f ON f.number = p.word
        -- Without other words, DuckDB would hash the captions of the rarest one for nothing; likewise below.
        SEMI JOIN (SELECT y.* FROM rarest y WHERE (SELECT count(*) FROM found) > 1) r ON r.dataset = p.dataset AND r.id = p.id
        WHERE p.occurrences > 0
        GROUP BY p.dataset, p.id
    ),
    -- The captions that have all words.
    matched AS MATERIALIZED (
        SELECT r.dataset, r.id, (r.part + coalesce(o.part, 0))::FLOAT AS score
        FROM rarest r
        LEFT JOIN others o ON o.dataset = r.dataset AND o.id = r.id
        WHERE coalesce(o.matches, 0) = (SELECT count(*) - 1 FROM found)
    ),
    -- The words of each phrase: what stands between the first quote and the second, and so on.
    phrases AS MATERIALIZED (
        SELECT u.phrase, u.place, u.size, f.number
        FROM (
            SELECT c.phrase, len(c.folded) AS size, unnest(c.folded) AS word, generate_subscripts(c.folded, 1) AS place
            FROM (
                SELECT q.phrase, folded_words(q.part) AS folded
                FROM (
                    SELECT unnest(z.parts) AS part, generate_subscripts(z.parts, 1) AS phrase
                    FROM (SELECT string_split(g.typed, '"') AS parts FROM given g) z
                ) q
                WHERE q.phrase % 2 = 0
            ) c
            WHERE len(c.folded) > 1
        ) u
        JOIN found f ON f.word = u.word
    ),
    in_phrases AS (
        SELECT h.dataset, h.id, count(DISTINCT h.phrase) AS phrases
        FROM (
            SELECT p.dataset, p.id, w.phrase
            FROM main.caption_postings p
            JOIN phrases w ON w.number = p.word AND w.size <= p.length
            SEMI JOIN (SELECT y.* FROM matched y WHERE (SELECT count(*) FROM phrases) > 0) m ON m.dataset = p.dataset AND m.id = p.id
            GROUP BY p.dataset, p.id, w.phrase, w.size, p.position - w.place
            HAVING count(*) = w.size
        ) h
        GROUP BY h.dataset, h.id
    ),
    best AS MATERIALIZED (
        SELECT m.dataset, m.id, m.score
        FROM matched m
        LEFT JOIN in_phrases h ON h.dataset = m.dataset AND h.id = m.id
        WHERE coalesce(h.phrases, 0) = (SELECT count(DISTINCT w.phrase) FROM phrases w)
        ORDER BY m.score DESC, m.dataset, m.id
        -- A constant, so that DuckDB keeps only the best; what k may not be is an error above.
        LIMIT greatest(try_cast(k AS BIGINT), 1)
    )
    SELECT row_number() OVER (ORDER BY t.score DESC, t.dataset, t.id) AS rank, t.dataset, t.id, t.score, t.caption
    FROM (
        SELECT '100m' AS dataset, b.id, b.score, c.caption
        FROM e_mm1_100m.text c JOIN best b ON b.id = c.encord_text_id
        WHERE b.dataset = 0
        UNION ALL
        SELECT '1m', b.id, b.score, c.caption
        FROM e_mm1_1m.text c JOIN best b ON b.id = c.encord_text_id
        WHERE b.dataset = 1
    ) t
    ORDER BY rank;
COMMENT ON MACRO TABLE match_captions IS 'The k captions that have all words (case and accents folded; "words in quotes" follow one another) and score best by BM25: rank BIGINT (from 1), dataset VARCHAR, id INTEGER, score FLOAT, caption VARCHAR; needs emm1 index captions, but no extension';
