-- The sections of `info` as one table: `kind` says what a row is about, and columns that do not apply are NULL.

FROM (
    SELECT 'store' AS kind, $path AS name, NULL::BIGINT AS rows, $size::BIGINT AS bytes, media_root() AS path,
        NULL::VARCHAR AS dataset, NULL::VARCHAR AS modality, NULL::VARCHAR AS model, NULL::INTEGER AS dims, NULL::VARCHAR AS dtype,
        NULL::VARCHAR AS metric, NULL::VARCHAR AS published, NULL::VARCHAR AS sha256, NULL::VARCHAR AS note,
        built_at AS at, emm1_version
    FROM emm1_store
    UNION ALL BY NAME
    SELECT 'table' AS kind, unnest($tables::VARCHAR[]) AS name, unnest($rows::BIGINT[]) AS rows
    UNION ALL BY NAME
    SELECT 'source' AS kind, source AS name, rows, bytes, path, published, sha256, note, read_at AS at, emm1_version
    FROM provenance
    UNION ALL BY NAME
    SELECT 'embeddings' AS kind, name, rows, bytes, path, dataset, modality::VARCHAR AS modality, model, dims, dtype, metric,
        added_at AS at, emm1_version
    FROM embeddings
)
ORDER BY list_position(['store', 'table', 'source', 'embeddings'], kind), name;
