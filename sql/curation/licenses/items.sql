-- The items that a caller lists ("emm1_listed": row, dataset, modality, id), each once.

SELECT a.*
FROM assets a
SEMI JOIN emm1_listed l ON l.dataset = a.dataset AND l.modality = a.modality::VARCHAR AND l.id = a.id
