-- The views. Catalog names are never written, so that they work under ATTACH with any alias.
-- Some scalar macros stand here because the views are built on them. Here and in the files after this one,
-- a macro's name comes after those of the macros that it calls: EXPORT DATABASE writes them in the order of their names.

CREATE MACRO belongs(found_store, wanted_store) AS
    -- DuckDB looks for what a macro names in the database that is in use, whichever database the macro is called from.
    CASE WHEN found_store = wanted_store THEN true
    ELSE error('this macro belongs to another store than the one in use: say USE and the name that its store is attached under, then call it') END;
COMMENT ON MACRO belongs IS 'Whether a macro reads the store that it is part of; where another database is in use, that is an error';

CREATE MACRO climbs(file) AS
    regexp_matches(file, '(^|[/\\])\.\.([/\\]|$)|^[/\\]|^[A-Za-z]:|^\.?$|\x00');
COMMENT ON MACRO climbs IS 'Whether a file name leads out of its folder, is absolute, holds NUL, or names no file';

CREATE MACRO inside(folder, file) AS
    -- Takes no time where every name is: a store that has others gets build/climbing_names.sql.
    true;
COMMENT ON MACRO inside IS 'Whether a path made of a folder and a file name stays inside the media root; true for every row where the build found no other';

CREATE MACRO media_folder(media) AS
    -- People whose audio lies in video/ set emm1_audio_folder; every other folder has the name of its modality.
    CASE WHEN media = 'audio' THEN coalesce(getvariable('emm1_audio_folder')::VARCHAR, 'audio') ELSE media END;
COMMENT ON MACRO media_folder IS 'Folder that holds the files of a modality; the variable emm1_audio_folder renames that of audio';

CREATE MACRO media_in(root, folder, media, file) AS
    -- One concat writes the path once, where a chain of || writes it five times: a rank takes 0.6 of the time.
    CASE WHEN folder IS NOT NULL AND media IS NOT NULL AND file IS NOT NULL AND inside(folder, file) THEN
        concat(coalesce(getvariable('emm1_root')::VARCHAR, root), '/', folder, '/', media_folder(media), '/', file)
    END;
COMMENT ON MACRO media_in IS 'media_path where the root given at build is at hand: a query that joins emm1_store once is planned faster than one that asks for the root in each path';

CREATE MACRO media_path(folder, media, file) AS
    media_in((SELECT s.media_root FROM main.emm1_store s WHERE belongs(s.store_id, 'STORE ID')), folder, media, file);
COMMENT ON MACRO media_path IS 'Path of a media file, as the published scripts build it: root/save_folder/modality/file_name; NULL where the name leads out of its folder';

CREATE MACRO media_root() AS
    coalesce(
        getvariable('emm1_root')::VARCHAR,
        (SELECT s.media_root FROM main.emm1_store s WHERE belongs(s.store_id, 'STORE ID'))
    );
COMMENT ON MACRO media_root IS 'Absolute folder of the media: the variable emm1_root where set, else the one given at build';

CREATE VIEW group_captions AS
SELECT g.*, t.caption
FROM e_mm1_100m.groups g
LEFT JOIN e_mm1_100m.text t ON t.encord_text_id = g.encord_text_id;
COMMENT ON VIEW group_captions IS 'The groups with their captions and without file paths: for counting and joining';
COMMENT ON COLUMN group_captions.encord_text_id IS 'The caption';
COMMENT ON COLUMN group_captions.encord_video_id IS 'Its nn_index-th nearest video item';
COMMENT ON COLUMN group_captions.encord_audio_id IS 'Its nn_index-th nearest audio item';
COMMENT ON COLUMN group_captions.encord_image_id IS 'Its nn_index-th nearest image item';
COMMENT ON COLUMN group_captions.encord_points_id IS 'Its nn_index-th nearest points item';
COMMENT ON COLUMN group_captions.nn_index IS 'Rank of the neighbours in this row, from 1 (nearest) to 16';
COMMENT ON COLUMN group_captions.caption IS 'Text of the caption';

CREATE VIEW "groups" AS
SELECT
    g.*,
    t.caption,
    media_in(s.media_root, i.save_folder, 'image', i.file_name) AS image_file_path,
    media_in(s.media_root, a.save_folder, 'audio', a.file_name) AS audio_file_path,
    media_in(s.media_root, v.save_folder, 'video', v.file_name) AS video_file_path,
    media_in(s.media_root, p.save_folder, 'points', p.file_name) AS points_file_path
FROM e_mm1_100m.groups g
LEFT JOIN e_mm1_100m.text t ON t.encord_text_id = g.encord_text_id
LEFT JOIN e_mm1_100m.image i ON i.encord_image_id = g.encord_image_id
LEFT JOIN e_mm1_100m.audio a ON a.encord_audio_id = g.encord_audio_id
LEFT JOIN e_mm1_100m.video v ON v.encord_video_id = g.encord_video_id
LEFT JOIN e_mm1_100m.points p ON p.encord_points_id = g.encord_points_id
CROSS JOIN main.emm1_store s;
COMMENT ON VIEW "groups" IS 'The groups of every rank with captions and file paths. DuckDB joins all five tables even for columns not asked for: to count or join, use group_captions or e_mm1_100m.groups, for some captions groups_of';
COMMENT ON COLUMN "groups".encord_text_id IS 'The caption';
COMMENT ON COLUMN "groups".encord_video_id IS 'Its nn_index-th nearest video item';
COMMENT ON COLUMN "groups".encord_audio_id IS 'Its nn_index-th nearest audio item';
COMMENT ON COLUMN "groups".encord_image_id IS 'Its nn_index-th nearest image item';
COMMENT ON COLUMN "groups".encord_points_id IS 'Its nn_index-th nearest points item';
COMMENT ON COLUMN "groups".nn_index IS 'Rank of the neighbours in this row, from 1 (nearest) to 16';
COMMENT ON COLUMN "groups".caption IS 'Text of the caption';
COMMENT ON COLUMN "groups".image_file_path IS 'Path of the image file';
COMMENT ON COLUMN "groups".audio_file_path IS 'Path of the audio file';
COMMENT ON COLUMN "groups".video_file_path IS 'Path of the video file';
COMMENT ON COLUMN "groups".points_file_path IS 'Path of the points file';

CREATE VIEW triplets AS
WITH files AS (
    SELECT 'image'::modality AS kind, encord_image_id AS id, media_path(save_folder, 'image', file_name) AS file_path
    FROM e_mm1_1m.image
    UNION ALL
    SELECT 'audio'::modality, encord_audio_id, media_path(save_folder, 'audio', file_name) FROM e_mm1_1m.audio
    UNION ALL
    SELECT 'video'::modality, encord_video_id, media_path(save_folder, 'video', file_name) FROM e_mm1_1m.video
    UNION ALL
    SELECT 'points'::modality, encord_points_id, media_path(save_folder, 'points', file_name) FROM e_mm1_1m.points
)
SELECT
    t.*,
    m.annotation_label,
    x.caption,
    f.file_path AS paired_modality_file_path,
    h.file_path AS annotated_modality_file_path
FROM e_mm1_1m.triplets t
LEFT JOIN e_mm1_1m.annotation_mapping m ON m.annotation = t.annotation
LEFT JOIN e_mm1_1m.text x ON x.encord_text_id = t.encord_text_id
LEFT JOIN files f ON f.kind = t.paired_modality AND f.id = t.encord_paired_id
LEFT JOIN files h ON h.kind = t.annotated_modality AND h.id = t.encord_annotated_id;
COMMENT ON VIEW triplets IS 'The rated triplets of E-MM1:1M with label, caption and file paths';
COMMENT ON COLUMN triplets.encord_text_id IS 'The caption';
COMMENT ON COLUMN triplets.paired_modality IS 'Modality of the item that the caption belongs to';
COMMENT ON COLUMN triplets.annotated_modality IS 'Modality of the item that was rated';
COMMENT ON COLUMN triplets.encord_paired_id IS 'The item that the caption belongs to';
COMMENT ON COLUMN triplets.encord_annotated_id IS 'The item that was rated';
COMMENT ON COLUMN triplets.annotation IS 'The rating: a code of annotation_mapping';
COMMENT ON COLUMN triplets.annotation_label IS 'Meaning of the rating';
COMMENT ON COLUMN triplets.caption IS 'Text of the caption';
COMMENT ON COLUMN triplets.paired_modality_file_path IS 'Path of the paired file';
COMMENT ON COLUMN triplets.annotated_modality_file_path IS 'Path of the rated file';

CREATE VIEW assets AS
SELECT
    '100m' AS dataset,
    'audio'::modality AS modality,
    encord_audio_id AS id,
    source_dataset,
    dataset_license,
    save_folder,
    file_name,
    media_path(save_folder, 'audio', file_name) AS file_path
FROM e_mm1_100m.audio
UNION ALL
SELECT '100m', 'image'::modality, encord_image_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'image', file_name)
FROM e_mm1_100m.image
UNION ALL
SELECT '100m', 'points'::modality, encord_points_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'points', file_name)
FROM e_mm1_100m.points
UNION ALL
SELECT '100m', 'text'::modality, encord_text_id, source_dataset, dataset_license, NULL, NULL, NULL
FROM e_mm1_100m.text
UNION ALL
SELECT '100m', 'video'::modality, encord_video_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'video', file_name)
FROM e_mm1_100m.video
UNION ALL
SELECT '1m', 'audio'::modality, encord_audio_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'audio', file_name)
FROM e_mm1_1m.audio
UNION ALL
SELECT '1m', 'image'::modality, encord_image_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'image', file_name)
FROM e_mm1_1m.image
UNION ALL
SELECT '1m', 'points'::modality, encord_points_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'points', file_name)
FROM e_mm1_1m.points
UNION ALL
SELECT '1m', 'text'::modality, encord_text_id, source_dataset, dataset_license, NULL, NULL, NULL
FROM e_mm1_1m.text
UNION ALL
SELECT '1m', 'video'::modality, encord_video_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'video', file_name)
FROM e_mm1_1m.video
UNION ALL
SELECT 'eshot', 'audio'::modality, eshot_audio_id, NULL, NULL, save_folder, file_name,
    media_path(save_folder, 'audio', file_name)
FROM eshot.audio
UNION ALL
SELECT 'eshot', 'points'::modality, eshot_point_id, NULL, NULL, save_folder, file_name,
    media_path(save_folder, 'points', file_name)
FROM eshot.points;
COMMENT ON VIEW assets IS 'One row per item of every split and modality';
COMMENT ON COLUMN assets.dataset IS 'Split: 100m, 1m or eshot';
COMMENT ON COLUMN assets.modality IS 'Modality of the item';
COMMENT ON COLUMN assets.id IS 'Its id, unique within the split and modality only';
COMMENT ON COLUMN assets.source_dataset IS 'Dataset the item comes from; NULL for EShot';
COMMENT ON COLUMN assets.dataset_license IS 'Licence of that dataset; NULL for EShot';
COMMENT ON COLUMN assets.save_folder IS 'Folder under the media root; NULL for captions';
COMMENT ON COLUMN assets.file_name IS 'Name of the file; NULL for captions';
COMMENT ON COLUMN assets.file_path IS 'Path of the file; NULL for captions';

CREATE VIEW same_files AS
SELECT 'audio'::modality AS modality, h.encord_audio_id AS id_100m, o.encord_audio_id AS id_1m
FROM e_mm1_100m.audio h
JOIN e_mm1_1m.audio o ON o.file_name = h.file_name
WHERE h.save_folder = 'shared' AND o.save_folder = 'shared'
UNION ALL
SELECT 'image'::modality, h.encord_image_id, o.encord_image_id
FROM e_mm1_100m.image h
JOIN e_mm1_1m.image o ON o.file_name = h.file_name
WHERE h.save_folder = 'shared' AND o.save_folder = 'shared'
UNION ALL
SELECT 'points'::modality, h.encord_points_id, o.encord_points_id
FROM e_mm1_100m.points h
JOIN e_mm1_1m.points o ON o.file_name = h.file_name
WHERE h.save_folder = 'shared' AND o.save_folder = 'shared'
UNION ALL
SELECT 'video'::modality, h.encord_video_id, o.encord_video_id
FROM e_mm1_100m.video h
JOIN e_mm1_1m.video o ON o.file_name = h.file_name
WHERE h.save_folder = 'shared' AND o.save_folder = 'shared';
COMMENT ON VIEW same_files IS 'The files that both splits hold (save_folder shared, same file_name), under different ids';
COMMENT ON COLUMN same_files.modality IS 'Modality of the file';
COMMENT ON COLUMN same_files.id_100m IS 'Its id in E-MM1:100M';
COMMENT ON COLUMN same_files.id_1m IS 'Its id in E-MM1:1M';

CREATE VIEW eshot_categories AS
SELECT c.category, c.class_index, c.modality, c.eshot_id,
    CASE c.modality WHEN 'audio' THEN a.file_name ELSE p.file_name END AS file_name,
    CASE c.modality
        WHEN 'audio' THEN media_path(a.save_folder, 'audio', a.file_name)
        ELSE media_path(p.save_folder, 'points', p.file_name)
    END AS file_path
FROM eshot.categories c
LEFT JOIN eshot.audio a ON c.modality = 'audio' AND a.eshot_audio_id = c.eshot_id
LEFT JOIN eshot.points p ON c.modality = 'points' AND p.eshot_point_id = c.eshot_id;
COMMENT ON VIEW eshot_categories IS 'The samples of EShot by category';
COMMENT ON COLUMN eshot_categories.category IS 'Name of the category';
COMMENT ON COLUMN eshot_categories.class_index IS 'From 0, in code-point order of the audio categories';
COMMENT ON COLUMN eshot_categories.modality IS 'audio or points';
COMMENT ON COLUMN eshot_categories.eshot_id IS 'The sample: eshot_audio_id or eshot_point_id';
COMMENT ON COLUMN eshot_categories.file_name IS 'Name of its file';
COMMENT ON COLUMN eshot_categories.file_path IS 'Path of its file';
