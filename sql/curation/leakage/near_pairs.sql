-- Adds pairs of vectors (emm1_near: query_id, id, score) whose items are on different sides, unless they were found the other way
-- round.

INSERT INTO leakage_pairs
WITH ordered AS (
    SELECT
        CASE WHEN q.side < b.side THEN q ELSE b END AS a,
        CASE WHEN q.side < b.side THEN b ELSE q END AS b,
        score
    FROM emm1_near n
    JOIN leakage_sides q ON q.dataset = $query_dataset AND q.modality = $query_modality AND q.id = n.query_id
    JOIN leakage_sides b ON b.dataset = $dataset AND b.modality = $modality AND b.id = n.id
    WHERE q.side <> b.side AND greatest(q.side, b.side) >= $first
    AND (q.dataset, q.modality, q.id) IS DISTINCT FROM (b.dataset, b.modality, b.id)
)
SELECT a.side AS side_a, a.dataset AS dataset_a, a.modality AS modality_a, a.id AS id_a,
    b.side AS side_b, b.dataset AS dataset_b, b.modality AS modality_b, coalesce(b.row, b.id) AS id_b,
    'near', printf('cosine %.4f', max(score))
FROM ordered
ANTI JOIN (FROM leakage_pairs WHERE kind = 'near') p
    ON p.side_a = ordered.a.side AND p.dataset_a = ordered.a.dataset AND p.modality_a = ordered.a.modality AND p.id_a = ordered.a.id
    AND p.side_b = ordered.b.side AND p.dataset_b = ordered.b.dataset AND p.modality_b = ordered.b.modality
    AND p.id_b = coalesce(ordered.b.row, ordered.b.id)
GROUP BY ALL
