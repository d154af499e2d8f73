-- The Parquet folders under the names of the store's tables. Spark reads the folders when a query asks for them.

CREATE SCHEMA IF NOT EXISTS e_mm1_100m;
CREATE SCHEMA IF NOT EXISTS e_mm1_1m;
CREATE SCHEMA IF NOT EXISTS eshot;

CREATE OR REPLACE VIEW e_mm1_100m.text AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_100m/text`;
CREATE OR REPLACE VIEW e_mm1_100m.image AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_100m/image`;
CREATE OR REPLACE VIEW e_mm1_100m.audio AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_100m/audio`;
CREATE OR REPLACE VIEW e_mm1_100m.video AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_100m/video`;
CREATE OR REPLACE VIEW e_mm1_100m.points AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_100m/points`;
CREATE OR REPLACE VIEW e_mm1_100m.groups AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_100m/groups`;

CREATE OR REPLACE VIEW e_mm1_1m.text AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_1m/text`;
CREATE OR REPLACE VIEW e_mm1_1m.image AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_1m/image`;
CREATE OR REPLACE VIEW e_mm1_1m.audio AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_1m/audio`;
CREATE OR REPLACE VIEW e_mm1_1m.video AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_1m/video`;
CREATE OR REPLACE VIEW e_mm1_1m.points AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_1m/points`;
CREATE OR REPLACE VIEW e_mm1_1m.triplets AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_1m/triplets`;
CREATE OR REPLACE VIEW e_mm1_1m.annotation_mapping AS SELECT * FROM parquet.`${emm1.lake}/e_mm1_1m/annotation_mapping`;

CREATE OR REPLACE VIEW eshot.audio AS SELECT * FROM parquet.`${emm1.lake}/eshot/audio`;
CREATE OR REPLACE VIEW eshot.points AS SELECT * FROM parquet.`${emm1.lake}/eshot/points`;
CREATE OR REPLACE VIEW eshot.categories AS SELECT * FROM parquet.`${emm1.lake}/eshot/categories`;

CREATE OR REPLACE VIEW provenance AS SELECT * FROM parquet.`${emm1.lake}/main/provenance`;
CREATE OR REPLACE VIEW splits AS SELECT * FROM parquet.`${emm1.lake}/main/splits`;
CREATE OR REPLACE VIEW maps AS SELECT * FROM parquet.`${emm1.lake}/main/maps`;
CREATE OR REPLACE VIEW media_status AS SELECT * FROM parquet.`${emm1.lake}/main/media_status`;
CREATE OR REPLACE VIEW flags AS SELECT * FROM parquet.`${emm1.lake}/main/flags`;
