-- Numbers the different words of all captions.

CREATE TEMP TABLE emm1_words AS
SELECT word, row_number() OVER (ORDER BY word)::INTEGER AS number
FROM (
    SELECT DISTINCT unnest(folded_words(caption)) AS word
    FROM (SELECT caption FROM e_mm1_100m.text UNION ALL SELECT caption FROM e_mm1_1m.text)
);
