-- Columns of a concept become the ENUM that has its name. They are VARCHAR until then, and the ENUM is made before, never
-- in place of another type: since 2.0.1 DuckDB refuses to drop a type that a column has.
-- Where the values were known before, the tables are empty and this costs nothing.

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
