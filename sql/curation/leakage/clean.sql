-- The items for training that do not leak.

SELECT i.side, i.modality, i.id
FROM leakage_items i
ANTI JOIN leakage_leaks p
    ON p.dataset_a = i.dataset AND p.modality_a = i.modality AND p.id_a = i.id
WHERE i.side <= 1 AND NOT i.purged
ORDER BY i.side, i.modality, i.id
