-- Once every file is read: the ENUM of annotation labels. Those of source_dataset, dataset_license and save_folder are
-- made of the values found before (building/run.py), or else by build/enums.sql; build/columns.sql gives them to their columns.
-- Where there are none it holds '', since DuckDB takes no ENUM without values.

CREATE TYPE annotation_label AS ENUM (
    SELECT unnest(coalesce(list(DISTINCT annotation_label ORDER BY annotation_label) FILTER (annotation_label IS NOT NULL), ['']))
    FROM (
        SELECT annotation_label FROM e_mm1_1m.annotation_mapping
    )
);
ALTER TABLE e_mm1_1m.annotation_mapping ALTER annotation_label SET DATA TYPE annotation_label;
