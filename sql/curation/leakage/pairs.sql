-- Pairs of items of different sides that have a mark in common; a list's rows are known by their numbers.

CREATE TEMP TABLE leakage_pairs AS
SELECT a.side AS side_a, a.dataset AS dataset_a, a.modality AS modality_a, a.id::BIGINT AS id_a,
    b.side AS side_b, b.dataset AS dataset_b, b.modality AS modality_b, coalesce(b.row, b.id) AS id_b,
    CASE a.kind WHEN 'name' THEN 'file' ELSE a.kind END AS kind,
    min(
        CASE a.kind
            WHEN 'youtube' THEN concat(
                a.key, ' at ', coalesce(printf('%g–%g s', a.clip_start, a.clip_end), 'any time'),
                ' and ', coalesce(printf('%g–%g s', b.clip_start, b.clip_end), 'any time')
            )
            WHEN 'source' THEN concat_ws(' ', a.source, a.key)
            WHEN 'file' THEN regexp_replace(a.key, '^[a-z]+/', '')
            ELSE a.key
        END
    ) AS detail
FROM leakage_marks a
JOIN leakage_targets b ON a.kind = b.kind AND a.key = b.key
WHERE a.side < b.side
AND (a.source = b.source OR a.source IS NULL OR b.source IS NULL)
AND (
    a.kind <> 'youtube' OR a.clip_start IS NULL OR b.clip_start IS NULL
    OR (a.clip_start < b.clip_end AND b.clip_start < a.clip_end)
)
AND (a.dataset, a.modality, a.id) IS DISTINCT FROM (b.dataset, b.modality, b.id)
GROUP BY ALL;

-- Those that training must do without: what is in EShot or a list leaks whatever it is for in `splits`.
CREATE TEMP VIEW leakage_leaks AS
FROM leakage_pairs
WHERE dataset_a <> 'eshot' AND (side_b >= 4 OR (side_a <= 1 AND side_b >= 2));
