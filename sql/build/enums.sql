-- Once every file is read: one ENUM per concept for the whole store, of the values found, sorted.
-- Where there are none it holds '', since DuckDB takes no ENUM without values.

DROP TYPE source_dataset;
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
ALTER TABLE e_mm1_100m.text ALTER source_dataset SET DATA TYPE source_dataset;
ALTER TABLE e_mm1_100m.image ALTER source_dataset SET DATA TYPE source_dataset;
ALTER TABLE e_mm1_100m.audio ALTER source_dataset SET DATA TYPE source_dataset;
ALTER TABLE e_mm1_100m.video ALTER source_dataset SET DATA TYPE source_dataset;
ALTER TABLE e_mm1_100m.points ALTER source_dataset SET DATA TYPE source_dataset;
ALTER TABLE e_mm1_1m.text ALTER source_dataset SET DATA TYPE source_dataset;
ALTER TABLE e_mm1_1m.image ALTER source_dataset SET DATA TYPE source_dataset;
ALTER TABLE e_mm1_1m.audio ALTER source_dataset SET DATA TYPE source_dataset;
ALTER TABLE e_mm1_1m.video ALTER source_dataset SET DATA TYPE source_dataset;
ALTER TABLE e_mm1_1m.points ALTER source_dataset SET DATA TYPE source_dataset;

DROP TYPE dataset_license;
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
ALTER TABLE e_mm1_100m.text ALTER dataset_license SET DATA TYPE dataset_license;
ALTER TABLE e_mm1_100m.image ALTER dataset_license SET DATA TYPE dataset_license;
ALTER TABLE e_mm1_100m.audio ALTER dataset_license SET DATA TYPE dataset_license;
ALTER TABLE e_mm1_100m.video ALTER dataset_license SET DATA TYPE dataset_license;
ALTER TABLE e_mm1_100m.points ALTER dataset_license SET DATA TYPE dataset_license;
ALTER TABLE e_mm1_1m.text ALTER dataset_license SET DATA TYPE dataset_license;
ALTER TABLE e_mm1_1m.image ALTER dataset_license SET DATA TYPE dataset_license;
ALTER TABLE e_mm1_1m.audio ALTER dataset_license SET DATA TYPE dataset_license;
ALTER TABLE e_mm1_1m.video ALTER dataset_license SET DATA TYPE dataset_license;
ALTER TABLE e_mm1_1m.points ALTER dataset_license SET DATA TYPE dataset_license;

DROP TYPE save_folder;
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
ALTER TABLE e_mm1_100m.image ALTER save_folder SET DATA TYPE save_folder;
ALTER TABLE e_mm1_100m.audio ALTER save_folder SET DATA TYPE save_folder;
ALTER TABLE e_mm1_100m.video ALTER save_folder SET DATA TYPE save_folder;
ALTER TABLE e_mm1_100m.points ALTER save_folder SET DATA TYPE save_folder;
ALTER TABLE e_mm1_1m.image ALTER save_folder SET DATA TYPE save_folder;
ALTER TABLE e_mm1_1m.audio ALTER save_folder SET DATA TYPE save_folder;
ALTER TABLE e_mm1_1m.video ALTER save_folder SET DATA TYPE save_folder;
ALTER TABLE e_mm1_1m.points ALTER save_folder SET DATA TYPE save_folder;
ALTER TABLE eshot.audio ALTER save_folder SET DATA TYPE save_folder;
ALTER TABLE eshot.points ALTER save_folder SET DATA TYPE save_folder;
