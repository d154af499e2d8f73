-- Flags files that are there and cannot be used. Missing ones are not flagged: most people have few of the files.

INSERT INTO flags (dataset, modality, id, flag, detail, source, "at")
SELECT dataset, modality, id, 'broken', concat_ws(': ', status, detail), $source, now() AT TIME ZONE 'UTC'
FROM media_status
WHERE status NOT IN ('ok', 'missing')
