-- The parts of a path of the Hub's Parquet files, save_folder/modality/file_name: up to the first slash, between, after the last.

CREATE OR REPLACE TEMP MACRO path_folder(path) AS split_part(path, '/', 1);

CREATE OR REPLACE TEMP MACRO path_between(path) AS regexp_extract(path, '^[^/]+/(.+)/[^/]+$', 1, 's');

CREATE OR REPLACE TEMP MACRO path_name(path) AS regexp_extract(path, '[^/]+$', 0, 's');
