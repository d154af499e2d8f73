-- The items that leak, each with the first thing that it overlaps with and how many more there are.

SELECT dataset, modality, id, first.side_b, first.modality_b, first.id_b, first.kind, first.detail, overlap_count
FROM (
    SELECT dataset_a AS dataset, modality_a::VARCHAR AS modality, id_a::INTEGER AS id,
        arg_min(
            {
                'side_b': side_b, 'modality_b': modality_b::VARCHAR, 'id_b': id_b, 'kind': kind, 'detail': detail
            },
            row(
                list_position(['item', 'file', 'youtube', 'object', 'source', 'near'], kind),
                side_b, dataset_b, modality_b::VARCHAR, id_b
            )
        ) AS first,
        count(DISTINCT (side_b, dataset_b, modality_b, id_b)) AS overlap_count
    FROM leakage_leaks
    GROUP BY ALL
)
ORDER BY dataset, modality, id
