-- The items that a list names themselves.

INSERT INTO leakage_pairs
SELECT DISTINCT a.side, a.dataset, a.modality, a.id, 5, a.dataset, a.modality, b.row, 'item', NULL
FROM leakage_items a
JOIN emm1_listed b ON b.dataset = a.dataset AND b.modality = a.modality::VARCHAR AND b.id = a.id
