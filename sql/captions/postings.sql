-- Writes a row for each occurrence of a word, in order. How often a caption has a word is counted in its sorted words, from the
-- first place of the word to the last.

INSERT INTO caption_postings
SELECT w.number, o.dataset, o.id, o.position, o.occurrences, o.length
FROM (
    SELECT
        dataset,
        id,
        word,
        position,
        CASE
            WHEN list_position(folded, word) < position THEN 0
            ELSE length + 2 - list_position(up, word) - list_position(down, word)
        END AS occurrences,
        length
    FROM (
        SELECT dataset, id, folded, up, down, length, unnest(folded) AS word, generate_subscripts(folded, 1) AS position
        FROM (
            SELECT dataset, id, folded, len(folded) AS length, list_sort(folded) AS up, list_reverse_sort(folded) AS down
            FROM (
                SELECT 0 AS dataset, encord_text_id AS id, folded_words(caption) AS folded FROM e_mm1_100m.text
                UNION ALL
                SELECT 1, encord_text_id, folded_words(caption) FROM e_mm1_1m.text
            )
        )
    )
) o
JOIN emm1_words w ON w.word = o.word
ORDER BY w.number, o.dataset, o.id, o.position;
