-- Flags some items ("emm1_flagged": dataset, modality, id, flag, detail).

INSERT INTO flags (dataset, modality, id, flag, detail, source, "at")
SELECT DISTINCT dataset, modality, id, flag, detail, $source, now() AT TIME ZONE 'UTC'
FROM emm1_flagged
