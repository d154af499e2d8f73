-- Every pair that was found.

FROM leakage_pairs
ORDER BY side_a, side_b, modality_a, id_a, modality_b, id_b, kind, dataset_a, dataset_b
