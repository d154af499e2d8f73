-- The five modalities of a split. Runs once for each of E-MM1:100M and E-MM1:1M, in its schema.
-- Columns keep their published names; columns not known here are added as VARCHAR at build.

CREATE TABLE text (
    encord_text_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    caption VARCHAR USING COMPRESSION zstd
);
COMMENT ON COLUMN text.encord_text_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN text.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN text.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN text.caption IS 'The caption';

CREATE TABLE image (
    encord_image_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    file_id VARCHAR USING COMPRESSION zstd,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON COLUMN image.encord_image_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN image.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN image.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN image.file_id IS 'Id in the source dataset: a URL for Google Conceptual Captions, a number with leading zeros for COCO';
COMMENT ON COLUMN image.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN image.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';

CREATE TABLE audio (
    encord_audio_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    youtube_id VARCHAR,
    start_time DOUBLE,
    end_time DOUBLE,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON COLUMN audio.encord_audio_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN audio.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN audio.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN audio.youtube_id IS 'YouTube video the clip is cut from';
COMMENT ON COLUMN audio.start_time IS 'Start of the clip in its source, seconds';
COMMENT ON COLUMN audio.end_time IS 'End of the clip in its source, seconds';
COMMENT ON COLUMN audio.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN audio.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';

CREATE TABLE video (
    encord_video_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    youtube_id VARCHAR,
    start_time DOUBLE,
    end_time DOUBLE,
    file_id VARCHAR,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON COLUMN video.encord_video_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN video.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN video.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN video.youtube_id IS 'YouTube video the clip is cut from';
COMMENT ON COLUMN video.start_time IS 'Start of the clip in its source, seconds';
COMMENT ON COLUMN video.end_time IS 'End of the clip in its source, seconds';
COMMENT ON COLUMN video.file_id IS 'Clip in the source dataset';
COMMENT ON COLUMN video.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN video.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';

CREATE TABLE points (
    encord_points_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    file_id VARCHAR,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON COLUMN points.encord_points_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN points.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN points.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN points.file_id IS 'Id of the 3D object in the source dataset';
COMMENT ON COLUMN points.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN points.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';
