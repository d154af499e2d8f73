-- The words of a search, and its phrases as they are in the words of a caption joined by spaces, with one at each end.

SELECT
    folded_words($words) AS words,
    list(DISTINCT concat(' ', array_to_string(folded, ' '), ' ')) FILTER (place % 2 = 0 AND len(folded) > 1) AS phrases
FROM (
    SELECT folded_words(unnest(parts)) AS folded, generate_subscripts(parts, 1) AS place
    FROM (SELECT string_split($words, '"') AS parts)
);
