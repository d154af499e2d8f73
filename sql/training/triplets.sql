-- The triplets between $modalities with some ratings ($ratings, codes or labels; NULL: all) whose caption is in a part of the split
-- ($part; NULL: all). One for training has no item from another part.

WITH out AS (
    SELECT modality, id FROM splits WHERE dataset = '1m' AND $part::VARCHAR = 'train' AND split <> 'train'
)
SELECT
    t.encord_text_id, t.paired_modality, t.encord_paired_id, t.annotated_modality, t.encord_annotated_id,
    t.annotation, m.annotation_label
FROM e_mm1_1m.triplets t
LEFT JOIN e_mm1_1m.annotation_mapping m ON m.annotation = t.annotation
ANTI JOIN out p ON p.modality = t.paired_modality AND p.id = t.encord_paired_id
ANTI JOIN out a ON a.modality = t.annotated_modality AND a.id = t.encord_annotated_id
WHERE list_contains($modalities::VARCHAR[], t.paired_modality::VARCHAR)
  AND list_contains($modalities::VARCHAR[], t.annotated_modality::VARCHAR)
  AND ($ratings::VARCHAR[] IS NULL
      OR list_contains($ratings::VARCHAR[], t.annotation::VARCHAR)
      OR list_contains($ratings::VARCHAR[], m.annotation_label))
  AND ($part::VARCHAR IS NULL OR t.encord_text_id IN (
      SELECT id FROM splits WHERE dataset = '1m' AND modality = 'text' AND split = $part::VARCHAR
  ))
ORDER BY ALL;
