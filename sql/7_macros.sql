-- The macros. Parameters are never named like a column they meet: DuckDB would silently take the column.

CREATE MACRO triplets_between(modalities) AS TABLE
    -- Both directions of every pair of the list, as the second published script does with permutations().
    WITH wanted AS (
        SELECT CASE WHEN modalities IS NULL
            THEN error('triplets_between needs a list of modalities, for example [''points'', ''audio'']')::modality[]
            ELSE (
                SELECT list(CASE WHEN u.kind IN ('image', 'audio', 'video', 'points') THEN u.kind::modality
                    ELSE error('unknown modality ''' || coalesce(u.kind, 'NULL')
                        || ''': triplets have image, audio, video and points')::modality END)
                FROM unnest(modalities::VARCHAR[]) AS u(kind)
            ) END AS kinds
    )
    SELECT
        t.encord_text_id,
        t.paired_modality,
        t.annotated_modality,
        t.encord_paired_id,
        t.encord_annotated_id,
        t.annotation,
        t.paired_modality_file_path,
        t.annotated_modality_file_path,
        t.caption
    FROM main.triplets t, wanted
    WHERE list_contains(wanted.kinds, t.paired_modality)
        AND list_contains(wanted.kinds, t.annotated_modality)
        AND t.paired_modality <> t.annotated_modality;
COMMENT ON MACRO TABLE triplets_between IS 'The rated triplets between the modalities of a list, e.g. [''points'', ''audio''], in either direction: columns and rows of the second published script';
