-- Flags the items whose licence forbids commercial use, or that nobody reviewed ("emm1_licenses": the rows of the table licenses).

INSERT INTO flags (dataset, modality, id, flag, detail, source, "at")
SELECT a.dataset, a.modality, a.id, CASE WHEN l.reviewed THEN 'noncommercial' ELSE 'unreviewed-license' END,
    coalesce(left(l.dataset_license, 1000), 'no licence is stated'), $source, now() AT TIME ZONE 'UTC'
FROM assets a
JOIN emm1_licenses l ON l.modality = a.modality::VARCHAR
    AND l.source_dataset IS NOT DISTINCT FROM a.source_dataset::VARCHAR
    AND l.dataset_license IS NOT DISTINCT FROM a.dataset_license::VARCHAR
WHERE NOT l.reviewed OR NOT l.commercial_use
