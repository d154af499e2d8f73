-- The groups of some ranks ($ranks; NULL: all) whose caption is in a part of the split ($part; NULL: all). A group for training
-- has no item of $modalities from another part. An item that is not there (NULL) is in none.

WITH out AS (
    SELECT modality::VARCHAR AS modality, id
    FROM splits
    WHERE dataset = '100m' AND $part::VARCHAR = 'train' AND split <> 'train'
      AND list_contains($modalities::VARCHAR[], modality::VARCHAR)
)
SELECT
    g.encord_text_id, g.nn_index, g.encord_image_id, g.encord_audio_id, g.encord_video_id, g.encord_points_id
FROM e_mm1_100m.groups g
ANTI JOIN (FROM out WHERE modality = 'image') i ON i.id = g.encord_image_id
ANTI JOIN (FROM out WHERE modality = 'audio') a ON a.id = g.encord_audio_id
ANTI JOIN (FROM out WHERE modality = 'video') v ON v.id = g.encord_video_id
ANTI JOIN (FROM out WHERE modality = 'points') p ON p.id = g.encord_points_id
WHERE g.encord_text_id IS NOT NULL
  AND ($ranks::SMALLINT[] IS NULL OR list_contains($ranks::SMALLINT[], g.nn_index))
  AND ($part::VARCHAR IS NULL OR g.encord_text_id IN (
      SELECT id FROM splits WHERE dataset = '100m' AND modality = 'text' AND split = $part::VARCHAR
  ))
ORDER BY ALL;
