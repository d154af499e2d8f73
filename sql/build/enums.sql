-- Where the values were not known before the files were read: one ENUM per concept for the whole store, of the values
-- found, sorted. columns.sql then gives it to its columns.
-- Where there are none it holds '', since DuckDB takes no ENUM without values.

CREATE TYPE source_dataset AS ENUM (
    SELECT unnest(coalesce(list(DISTINCT source_dataset ORDER BY source_dataset) FILTER (source_dataset IS NOT NULL), ['']))
    FROM (
        SELECT source_dataset FROM e_mm1_100m.text
        UNION SELECT source_dataset FROM e_mm1_100m.image
        UNION SELECT source_dataset FROM e_mm1_100m.audio
        UNION SELECT source_dataset FROM e_mm1_100m.video
        UNION SELECT source_dataset FROM e_mm1_100m.points
        UNION SELECT source_dataset FROM e_mm1_1m.text
        UNION SELECT source_dataset FROM e_mm1_1m.image
        UNION SELECT source_dataset FROM e_mm1_1m.audio
        UNION SELECT source_dataset FROM e_mm1_1m.video
        UNION SELECT source_dataset FROM e_mm1_1m.points
    )
);

CREATE TYPE dataset_license AS ENUM (
    SELECT unnest(coalesce(list(DISTINCT dataset_license ORDER BY dataset_license) FILTER (dataset_license IS NOT NULL), ['']))
    FROM (
        SELECT dataset_license FROM e_mm1_100m.text
        UNION SELECT dataset_license FROM e_mm1_100m.image
        UNION SELECT dataset_license FROM e_mm1_100m.audio
        UNION SELECT dataset_license FROM e_mm1_100m.video
        UNION SELECT dataset_license FROM e_mm1_100m.points
        UNION SELECT dataset_license FROM e_mm1_1m.text
        UNION SELECT dataset_license FROM e_mm1_1m.image
        UNION SELECT dataset_license FROM e_mm1_1m.audio
        UNION SELECT dataset_license FROM e_mm1_1m.video
        UNION SELECT dataset_license FROM e_mm1_1m.points
    )
);

CREATE TYPE save_folder AS ENUM (
    SELECT unnest(coalesce(list(DISTINCT save_folder ORDER BY save_folder) FILTER (save_folder IS NOT NULL), ['']))
    FROM (
        SELECT save_folder FROM e_mm1_100m.image
        UNION SELECT save_folder FROM e_mm1_100m.audio
        UNION SELECT save_folder FROM e_mm1_100m.video
        UNION SELECT save_folder FROM e_mm1_100m.points
        UNION SELECT save_folder FROM e_mm1_1m.image
        UNION SELECT save_folder FROM e_mm1_1m.audio
        UNION SELECT save_folder FROM e_mm1_1m.video
        UNION SELECT save_folder FROM e_mm1_1m.points
        UNION SELECT save_folder FROM eshot.audio
        UNION SELECT save_folder FROM eshot.points
    )
);
