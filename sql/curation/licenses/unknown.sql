-- The first of the listed items ("emm1_listed": row, dataset, modality, id) that the store does not have, and how many those are.

SELECT l.row, l.dataset, l.modality, l.id, count(*) OVER () AS unknown
FROM emm1_listed l
ANTI JOIN assets a ON l.dataset = a.dataset AND l.modality = a.modality::VARCHAR AND l.id = a.id
ORDER BY l.row
LIMIT 1
