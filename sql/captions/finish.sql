-- The words, and the one row that says that there is an index; $fingerprint is that of the captions.

INSERT INTO caption_words
SELECT w.word, w.number, p.captions
FROM emm1_words w
JOIN (SELECT word AS number, count(*) AS captions FROM caption_postings WHERE occurrences > 0 GROUP BY word) p USING (number)
ORDER BY w.number;

DROP TABLE emm1_words;

INSERT INTO caption_index
SELECT count(*) FILTER (WHERE position = 1), count(*), $fingerprint
FROM caption_postings;
