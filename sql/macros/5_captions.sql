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

CREATE MACRO captions_with(sought_words, sought_all, sought_k) AS TABLE
    -- The best of all captions that have the words; or, unless sought_all is true, of those in which one of the words scores high,
    -- and `least` is what others score at most. NULL gives none.
    WITH counts AS MATERIALIZED (
        SELECT max(x.captions) AS captions, max(x.occurrences / x.captions) AS average, max(sought_all) AS everything
        FROM main.caption_index x
    ),
    asked AS MATERIALIZED (
        SELECT DISTINCT unnest(folded_words(sought_words)) AS word FROM counts c WHERE c.everything IS NOT NULL
    ),
    -- The words of the captions that are asked for, the rarest first, with their weights.
    found AS MATERIALIZED (
        SELECT w.word, w.number, w.high, c.average, c.everything,
            ln(1 + (c.captions - w.captions + 0.5e0) / (w.captions + 0.5e0)) AS weight,
            row_number() OVER (ORDER BY w.captions, w.number) AS place
        FROM asked a JOIN main.caption_words w ON w.word = a.word CROSS JOIN counts c
    ),
    -- With more words, too few captions have all of them to have k of the best among those in which one of them scores high.
    rarest_word AS MATERIALIZED (
        SELECT y.*, (SELECT count(*) FROM found) AS words
        FROM found y
        WHERE y.place = 1 AND (SELECT count(*) FROM found) = (SELECT count(*) FROM asked)
            AND (y.everything OR sought_k <= 1000 AND (SELECT count(*) = count(v.high) AND count(*) <= 3 FROM found v))
    ),
    high AS MATERIALIZED (
        SELECT p.dataset, p.id
        FROM main.caption_postings p
        JOIN (SELECT y.* FROM found y WHERE (SELECT NOT z.everything AND z.words > 1 FROM rarest_word z)) f ON f.number = p.word
        WHERE p.length <= p.occurrences * (f.high + f.average / 3) - f.average / 3
    ),
    -- What BM25 (k1 = 1.2, b = 0.75) gives for the rarest word, in every caption that has it and that counts. Sums of decimals do not
    -- depend on their order. One of the three has rows: DuckDB reads no postings of a word that is not joined.
    rarest AS MATERIALIZED (
        SELECT p.dataset, p.id,
            (f.weight * p.occurrences * 2.2e0 / (p.occurrences + 1.2e0 * (0.25e0 + 0.75e0 * p.length / f.average)))::DECIMAL(18, 9) AS part
        FROM main.caption_postings p
        JOIN (SELECT y.* FROM rarest_word y WHERE y.everything) f ON f.number = p.word
        WHERE p.occurrences > 0
        UNION ALL
        SELECT p.dataset, p.id,
            (f.weight * p.occurrences * 2.2e0 / (p.occurrences + 1.2e0 * (0.25e0 + 0.75e0 * p.length / f.average)))::DECIMAL(18, 9) AS part
        FROM main.caption_postings p
        JOIN (SELECT y.* FROM rarest_word y WHERE NOT y.everything AND y.words = 1) f ON f.number = p.word
        WHERE p.length <= p.occurrences * (f.high + f.average / 3) - f.average / 3
        UNION ALL
        SELECT p.dataset, p.id,
            (f.weight * p.occurrences * 2.2e0 / (p.occurrences + 1.2e0 * (0.25e0 + 0.75e0 * p.length / f.average)))::DECIMAL(18, 9) AS part
        FROM main.caption_postings p
        JOIN (SELECT y.* FROM rarest_word y WHERE NOT y.everything AND y.words > 1) f ON f.number = p.word
        SEMI JOIN high h ON h.dataset = p.dataset AND h.id = p.id
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
                    FROM (SELECT string_split(sought_words, '"') AS parts) z
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
        -- A constant, so that DuckDB keeps only the best.
        LIMIT sought_k
    )
    SELECT b.*, (SELECT sum(y.weight * 2.2e0 / (1.3e0 + 0.9e0 * y.high / y.average)) FROM found y) AS least FROM best b;
COMMENT ON MACRO TABLE captions_with IS 'Internal: captions that have all words, among all of them or among those in which a word scores high';

CREATE MACRO match_captions(words, k := 20) AS TABLE
    WITH given AS MATERIALIZED (
        SELECT as_name(a.emm1_words, 'match_captions(words VARCHAR, k BIGINT := 20): words') AS typed
        FROM (SELECT words AS emm1_words, k AS emm1_k) a, main.emm1_store s, (
            SELECT max(x.captions) AS captions FROM main.caption_index x
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
    -- Words that are in very many captions: k that score more than all others can are the best, and there is no need to look at all.
    quick AS MATERIALIZED (
        FROM captions_with((SELECT g.typed FROM given g), false, greatest(try_cast(k AS BIGINT), 1)) -- what k may not be is an error above
    ),
    enough AS MATERIALIZED (
        -- Each word's part is rounded to a billionth and their sum to FLOAT, the bound is not: the margin is larger than these errors.
        SELECT coalesce(count(*) >= try_cast(k AS BIGINT) AND min(q.score) > max(q.least) * (1 + 1e-6) + 4e-9, false) AS are
        FROM quick q
    ),
    best AS MATERIALIZED (
        SELECT q.dataset, q.id, q.score FROM quick q WHERE (SELECT e.are FROM enough e)
        UNION ALL
        SELECT c.dataset, c.id, c.score
        FROM captions_with(
            (SELECT g.typed FROM given g),
            (SELECT if(e.are, NULL, true) FROM enough e),
            greatest(try_cast(k AS BIGINT), 1)
        ) c
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
