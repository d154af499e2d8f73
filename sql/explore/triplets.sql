-- The rated triplets with their place in the published file, and what their rating means.

SELECT
    t.rowid AS place,
    t.encord_text_id,
    t.paired_modality::VARCHAR AS paired_modality,
    t.encord_paired_id,
    t.annotated_modality::VARCHAR AS annotated_modality,
    t.encord_annotated_id,
    t.annotation,
    m.annotation_label::VARCHAR AS annotation_label
FROM e_mm1_1m.triplets t
LEFT JOIN e_mm1_1m.annotation_mapping m ON m.annotation = t.annotation
