-- The words that are asked for and that no caption has.

SELECT DISTINCT unnest(folded_words($words)) AS word
EXCEPT
SELECT word FROM caption_words
ORDER BY word;
