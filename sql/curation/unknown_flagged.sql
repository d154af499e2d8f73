-- The first of some items ("emm1_flagged": row, dataset, modality, id) that the store does not have, and how many those are.

SELECT row, dataset, modality, id, count(*) OVER () AS unknown
FROM emm1_flagged
ANTI JOIN assets USING (dataset, modality, id)
ORDER BY row
LIMIT 3
