-- The words, and the one row that says that there is an index; $fingerprint is that of the captions.
--
-- A word that stands n times in a caption of l words scores as much as if it stood once in a caption of (l + a / 3) / n - a / 3 words,
-- where a is the average length: BM25 with k1 = 1.2 and b = 0.75, solved for the length. The words of very many captions get
-- such a length that about 65,536 captions are as short or shorter; between two lengths that occur, so that rounding decides nothing.

INSERT INTO caption_words
WITH average AS (
    SELECT count(*) / count(*) FILTER (WHERE position = 1) AS words FROM caption_postings
),
counted AS (
    SELECT word, count(*) AS captions FROM caption_postings WHERE occurrences > 0 GROUP BY word
),
lengths AS (
    SELECT p.word, (p.length + a.words / 3) / p.occurrences - a.words / 3 AS length, count(*) AS captions
    FROM caption_postings p JOIN counted c ON c.word = p.word CROSS JOIN average a
    WHERE p.occurrences > 0 AND c.captions >= 4 * 65536
    GROUP BY ALL
),
summed AS (
    SELECT word, length,
        sum(captions) OVER (PARTITION BY word ORDER BY length) AS as_short,
        lead(length) OVER (PARTITION BY word ORDER BY length) AS longer
    FROM lengths
),
highs AS (
    SELECT word, min((length + longer) / 2) AS high FROM summed WHERE as_short >= 65536 GROUP BY word
)
SELECT w.word, w.number, c.captions, h.high
FROM emm1_words w
JOIN counted c ON c.word = w.number
LEFT JOIN highs h ON h.word = w.number
ORDER BY w.number;

DROP TABLE emm1_words;

INSERT INTO caption_index
SELECT count(*) FILTER (WHERE position = 1), count(*), $fingerprint
FROM caption_postings;
