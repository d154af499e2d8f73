-- The results of `check` as one table: `kind` says what a row is about, and columns that do not apply are NULL.

SELECT 'ids' AS kind, unnest($columns::VARCHAR[]) AS name, NULL::VARCHAR AS dataset, NULL::VARCHAR AS modality,
    NULL::VARCHAR AS source_dataset, NULL::VARCHAR AS status, unnest($checked::BIGINT[]) AS items,
    unnest($missing::BIGINT[]) AS missing, NULL::VARCHAR AS note
UNION ALL BY NAME
SELECT 'source' AS kind, unnest($sources::VARCHAR[]) AS name, unnest($published::VARCHAR[]) AS status,
    unnest($notes::VARCHAR[]) AS note
UNION ALL BY NAME
SELECT 'file names' AS kind, unnest($named::VARCHAR[]) AS name, unnest($climbing::BIGINT[]) AS items,
    unnest($explained::VARCHAR[]) AS note
UNION ALL BY NAME
SELECT 'media' AS kind, unnest($datasets::VARCHAR[]) AS dataset, unnest($modalities::VARCHAR[]) AS modality,
    unnest($source_datasets::VARCHAR[]) AS source_dataset, unnest($reasons::VARCHAR[]) AS status,
    unnest($items::BIGINT[]) AS items
UNION ALL BY NAME
SELECT 'advice' AS kind, unnest($advice::VARCHAR[]) AS note;
