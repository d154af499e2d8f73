-- E-MM1:100M: five modalities, and the groups of nearest neighbours of each caption.
-- Columns keep their published names; columns not known here are added as VARCHAR at build.

CREATE SCHEMA e_mm1_100m;

CREATE TABLE e_mm1_100m.text (
    encord_text_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    caption VARCHAR USING COMPRESSION zstd
);
COMMENT ON TABLE e_mm1_100m.text IS 'The captions of E-MM1:100M';
COMMENT ON COLUMN e_mm1_100m.text.encord_text_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN e_mm1_100m.text.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN e_mm1_100m.text.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN e_mm1_100m.text.caption IS 'The caption';

CREATE TABLE e_mm1_100m.image (
    encord_image_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    file_id VARCHAR USING COMPRESSION zstd,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON TABLE e_mm1_100m.image IS 'The images of E-MM1:100M';
COMMENT ON COLUMN e_mm1_100m.image.encord_image_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN e_mm1_100m.image.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN e_mm1_100m.image.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN e_mm1_100m.image.file_id IS 'Id in the source dataset: a URL for Google Conceptual Captions, a number with leading zeros for COCO';
COMMENT ON COLUMN e_mm1_100m.image.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN e_mm1_100m.image.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';

CREATE TABLE e_mm1_100m.audio (
    encord_audio_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    youtube_id VARCHAR,
    start_time DOUBLE,
    end_time DOUBLE,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON TABLE e_mm1_100m.audio IS 'The audio clips of E-MM1:100M';
COMMENT ON COLUMN e_mm1_100m.audio.encord_audio_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN e_mm1_100m.audio.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN e_mm1_100m.audio.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN e_mm1_100m.audio.youtube_id IS 'YouTube video the clip is cut from';
COMMENT ON COLUMN e_mm1_100m.audio.start_time IS 'Start of the clip in its source, seconds';
COMMENT ON COLUMN e_mm1_100m.audio.end_time IS 'End of the clip in its source, seconds';
COMMENT ON COLUMN e_mm1_100m.audio.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN e_mm1_100m.audio.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';

CREATE TABLE e_mm1_100m.video (
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
COMMENT ON TABLE e_mm1_100m.video IS 'The video clips of E-MM1:100M';
COMMENT ON COLUMN e_mm1_100m.video.encord_video_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN e_mm1_100m.video.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN e_mm1_100m.video.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN e_mm1_100m.video.youtube_id IS 'YouTube video the clip is cut from';
COMMENT ON COLUMN e_mm1_100m.video.start_time IS 'Start of the clip in its source, seconds';
COMMENT ON COLUMN e_mm1_100m.video.end_time IS 'End of the clip in its source, seconds';
COMMENT ON COLUMN e_mm1_100m.video.file_id IS 'Clip in the source dataset';
COMMENT ON COLUMN e_mm1_100m.video.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN e_mm1_100m.video.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';

CREATE TABLE e_mm1_100m.points (
    encord_points_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    file_id VARCHAR,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON TABLE e_mm1_100m.points IS 'The point clouds of E-MM1:100M';
COMMENT ON COLUMN e_mm1_100m.points.encord_points_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN e_mm1_100m.points.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN e_mm1_100m.points.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN e_mm1_100m.points.file_id IS 'Id of the 3D object in the source dataset';
COMMENT ON COLUMN e_mm1_100m.points.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN e_mm1_100m.points.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';

CREATE TABLE e_mm1_100m.groups (
    encord_text_id INTEGER USING COMPRESSION bitpacking,
    encord_video_id INTEGER USING COMPRESSION bitpacking,
    encord_audio_id INTEGER USING COMPRESSION bitpacking,
    encord_image_id INTEGER USING COMPRESSION bitpacking,
    encord_points_id INTEGER USING COMPRESSION bitpacking,
    nn_index SMALLINT NOT NULL USING COMPRESSION rle
);
COMMENT ON TABLE e_mm1_100m.groups IS 'For each caption and rank, the nearest item of every other modality';
COMMENT ON COLUMN e_mm1_100m.groups.encord_text_id IS 'The caption';
COMMENT ON COLUMN e_mm1_100m.groups.encord_video_id IS 'Its nn_index-th nearest video item';
COMMENT ON COLUMN e_mm1_100m.groups.encord_audio_id IS 'Its nn_index-th nearest audio item';
COMMENT ON COLUMN e_mm1_100m.groups.encord_image_id IS 'Its nn_index-th nearest image item';
COMMENT ON COLUMN e_mm1_100m.groups.encord_points_id IS 'Its nn_index-th nearest points item';
COMMENT ON COLUMN e_mm1_100m.groups.nn_index IS 'Rank of the neighbours in this row, from 1 (nearest) to 16';
