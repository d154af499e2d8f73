-- Once every file is read: the ENUM of annotation labels. Those of source_dataset, dataset_license and save_folder are
-- made before the tables where their values are known then, else by build/enums.sql.
-- Where there are none it holds '', since DuckDB takes no ENUM without values.

DROP TYPE annotation_label;
CREATE TYPE annotation_label AS ENUM (
    SELECT unnest(coalesce(list(DISTINCT annotation_label ORDER BY annotation_label) FILTER (annotation_label IS NOT NULL), ['']))
    FROM (
        SELECT annotation_label FROM e_mm1_1m.annotation_mapping
    )
);
ALTER TABLE e_mm1_1m.annotation_mapping ALTER annotation_label SET DATA TYPE annotation_label;
