-- Once every file is read: one ENUM per concept for the whole store, of the values found, sorted.

DROP TYPE source_dataset;
CREATE TYPE source_dataset AS ENUM (
    SELECT source_dataset FROM (
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
    ) WHERE source_dataset IS NOT NULL ORDER BY source_dataset
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
    SELECT dataset_license FROM (
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
    ) WHERE dataset_license IS NOT NULL ORDER BY dataset_license
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
    SELECT save_folder FROM (
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
    ) WHERE save_folder IS NOT NULL ORDER BY save_folder
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

DROP TYPE annotation_label;
CREATE TYPE annotation_label AS ENUM (
    SELECT annotation_label FROM (
        SELECT annotation_label FROM e_mm1_1m.annotation_mapping
    ) WHERE annotation_label IS NOT NULL ORDER BY annotation_label
);
ALTER TABLE e_mm1_1m.annotation_mapping ALTER annotation_label SET DATA TYPE annotation_label;
