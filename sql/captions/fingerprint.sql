-- A number that changes with every change of a caption or its id.

SELECT coalesce(bit_xor(md5_number_lower(concat_ws(' ', dataset, id, caption))), 0)::VARCHAR || ' ' || count(*)
FROM (
    SELECT '100m' AS dataset, encord_text_id AS id, caption FROM e_mm1_100m.text
    UNION ALL
    SELECT '1m', encord_text_id, caption FROM e_mm1_1m.text
);
