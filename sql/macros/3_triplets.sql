-- The triplets between some modalities. Parameters are never named like a column they meet, as in groups_of.

CREATE MACRO as_modalities(given) AS
    -- The text of a list is one too, as in as_numbers. Items that are no modality are left to triplets_between, which names them.
    CASE WHEN ends_with(typeof(given), ']')
            OR typeof(given) IN ('VARCHAR', 'JSON', '"NULL"') AND (given IS NULL OR try_cast(given AS VARCHAR[]) IS NOT NULL)
        THEN given::VARCHAR[] ELSE error(concat('triplets_between(modalities VARCHAR[]): modalities is ', typeof(given))) END;
COMMENT ON MACRO as_modalities IS 'Internal: an argument, if it is a list';

CREATE MACRO triplets_may_have(modalities, kind) AS
    -- If the list is a literal, DuckDB folds this and leaves out the tables of the other modalities. Unknown modalities
    -- are accepted here: triplets_between raises the error.
    coalesce(
        list_contains(as_modalities(modalities), kind)
            OR NOT list_has_all(['audio', 'image', 'points', 'video'], as_modalities(modalities)),
        true
    );
COMMENT ON MACRO triplets_may_have IS 'Internal: whether triplets_between needs the files of a modality';

CREATE MACRO triplets_between(modalities) AS TABLE
    -- Both directions of every pair of the list, as the second published script does with permutations().
    WITH wanted AS (
        SELECT CASE WHEN modalities IS NULL
            THEN error('triplets_between needs a list of modalities, for example [''points'', ''audio'']')::modality[]
            ELSE (
                SELECT list(CASE WHEN u.kind IN ('image', 'audio', 'video', 'points') THEN u.kind::modality
                    ELSE error('unknown modality ''' || coalesce(u.kind, 'NULL')
                        || ''': triplets have image, audio, video and points')::modality END)
                FROM unnest(as_modalities(modalities)) AS u(kind)
            ) END AS kinds
    ),
    -- Few rows are between the modalities of a list: they are filtered before anything is joined.
    chosen AS (
        SELECT t.*
        FROM e_mm1_1m.triplets t, wanted
        WHERE list_contains(wanted.kinds, t.paired_modality)
            AND list_contains(wanted.kinds, t.annotated_modality)
            AND t.paired_modality <> t.annotated_modality
    ),
    files AS (
        SELECT 'image'::modality AS kind, encord_image_id AS id,
            media_in(s.media_root, save_folder, 'image', file_name) AS file_path
        FROM e_mm1_1m.image, main.emm1_store s
        WHERE triplets_may_have(modalities, 'image')
        UNION ALL
        SELECT 'audio'::modality, encord_audio_id, media_in(s.media_root, save_folder, 'audio', file_name)
        FROM e_mm1_1m.audio, main.emm1_store s
        WHERE triplets_may_have(modalities, 'audio')
        UNION ALL
        SELECT 'video'::modality, encord_video_id, media_in(s.media_root, save_folder, 'video', file_name)
        FROM e_mm1_1m.video, main.emm1_store s
        WHERE triplets_may_have(modalities, 'video')
        UNION ALL
        SELECT 'points'::modality, encord_points_id, media_in(s.media_root, save_folder, 'points', file_name)
        FROM e_mm1_1m.points, main.emm1_store s
        WHERE triplets_may_have(modalities, 'points')
    )
    SELECT
        t.encord_text_id,
        t.paired_modality,
        t.annotated_modality,
        t.encord_paired_id,
        t.encord_annotated_id,
        t.annotation,
        f.file_path AS paired_modality_file_path,
        h.file_path AS annotated_modality_file_path,
        x.caption
    FROM chosen t
    LEFT JOIN e_mm1_1m.text x ON x.encord_text_id = t.encord_text_id
    LEFT JOIN files f ON f.kind = t.paired_modality AND f.id = t.encord_paired_id
    LEFT JOIN files h ON h.kind = t.annotated_modality AND h.id = t.encord_annotated_id
    UNION ALL
    -- As in groups_of.
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM main.emm1_store s
    WHERE NOT belongs(s.store_id, 'STORE ID');
COMMENT ON MACRO TABLE triplets_between IS 'The rated triplets between the modalities of a list, e.g. [''points'', ''audio''], in either direction: columns and rows of the second published script; needs no extension';
