-- The items with one of some flags ($flags), once for each of these.

SELECT DISTINCT dataset, modality::VARCHAR AS modality, flag, id::BIGINT AS id
FROM flags
WHERE list_contains($flags, flag)
ORDER BY ALL
