-- E-MM1:1M: five modalities, and the triplets that people rated.
-- Columns keep their published names; columns not known here are added as VARCHAR at build.

CREATE SCHEMA e_mm1_1m;

CREATE TABLE e_mm1_1m.text (
    encord_text_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    caption VARCHAR USING COMPRESSION zstd
);
COMMENT ON TABLE e_mm1_1m.text IS 'The captions of E-MM1:1M';
COMMENT ON COLUMN e_mm1_1m.text.encord_text_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN e_mm1_1m.text.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN e_mm1_1m.text.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN e_mm1_1m.text.caption IS 'The caption';

CREATE TABLE e_mm1_1m.image (
    encord_image_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    file_id VARCHAR USING COMPRESSION zstd,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON TABLE e_mm1_1m.image IS 'The images of E-MM1:1M';
COMMENT ON COLUMN e_mm1_1m.image.encord_image_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN e_mm1_1m.image.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN e_mm1_1m.image.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN e_mm1_1m.image.file_id IS 'Id in the source dataset: a URL for Google Conceptual Captions, a number with leading zeros for COCO';
COMMENT ON COLUMN e_mm1_1m.image.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN e_mm1_1m.image.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';

CREATE TABLE e_mm1_1m.audio (
    encord_audio_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    youtube_id VARCHAR,
    start_time DOUBLE,
    end_time DOUBLE,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON TABLE e_mm1_1m.audio IS 'The audio clips of E-MM1:1M';
COMMENT ON COLUMN e_mm1_1m.audio.encord_audio_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN e_mm1_1m.audio.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN e_mm1_1m.audio.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN e_mm1_1m.audio.youtube_id IS 'YouTube video the clip is cut from';
COMMENT ON COLUMN e_mm1_1m.audio.start_time IS 'Start of the clip in its source, seconds';
COMMENT ON COLUMN e_mm1_1m.audio.end_time IS 'End of the clip in its source, seconds';
COMMENT ON COLUMN e_mm1_1m.audio.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN e_mm1_1m.audio.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';

CREATE TABLE e_mm1_1m.video (
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
COMMENT ON TABLE e_mm1_1m.video IS 'The video clips of E-MM1:1M';
COMMENT ON COLUMN e_mm1_1m.video.encord_video_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN e_mm1_1m.video.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN e_mm1_1m.video.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN e_mm1_1m.video.youtube_id IS 'YouTube video the clip is cut from';
COMMENT ON COLUMN e_mm1_1m.video.start_time IS 'Start of the clip in its source, seconds';
COMMENT ON COLUMN e_mm1_1m.video.end_time IS 'End of the clip in its source, seconds';
COMMENT ON COLUMN e_mm1_1m.video.file_id IS 'Clip in the source dataset';
COMMENT ON COLUMN e_mm1_1m.video.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN e_mm1_1m.video.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';

CREATE TABLE e_mm1_1m.points (
    encord_points_id INTEGER NOT NULL USING COMPRESSION bitpacking,
    source_dataset VARCHAR,
    dataset_license VARCHAR,
    file_id VARCHAR,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON TABLE e_mm1_1m.points IS 'The point clouds of E-MM1:1M';
COMMENT ON COLUMN e_mm1_1m.points.encord_points_id IS 'Id of the row in this split and modality';
COMMENT ON COLUMN e_mm1_1m.points.source_dataset IS 'Dataset the item comes from';
COMMENT ON COLUMN e_mm1_1m.points.dataset_license IS 'Licence of that dataset';
COMMENT ON COLUMN e_mm1_1m.points.file_id IS 'Id of the 3D object in the source dataset';
COMMENT ON COLUMN e_mm1_1m.points.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN e_mm1_1m.points.save_folder IS 'Folder under the media root: e-mm1_100m_only, e-mm1_1m_only or shared (in both splits)';

CREATE TABLE e_mm1_1m.annotation_mapping (
    annotation SMALLINT NOT NULL,
    annotation_label VARCHAR NOT NULL
);
COMMENT ON TABLE e_mm1_1m.annotation_mapping IS 'What the annotation codes mean';
COMMENT ON COLUMN e_mm1_1m.annotation_mapping.annotation IS 'Code used in triplets';
COMMENT ON COLUMN e_mm1_1m.annotation_mapping.annotation_label IS 'Its meaning';

CREATE TABLE e_mm1_1m.triplets (
    encord_text_id INTEGER USING COMPRESSION bitpacking,
    paired_modality modality,
    annotated_modality modality,
    encord_paired_id INTEGER USING COMPRESSION bitpacking,
    encord_annotated_id INTEGER USING COMPRESSION bitpacking,
    annotation SMALLINT
);
COMMENT ON TABLE e_mm1_1m.triplets IS 'Human ratings: does the annotated item fit the captioned, paired one? Rows may repeat, as published';
COMMENT ON COLUMN e_mm1_1m.triplets.encord_text_id IS 'The caption';
COMMENT ON COLUMN e_mm1_1m.triplets.paired_modality IS 'Modality of the item that the caption belongs to';
COMMENT ON COLUMN e_mm1_1m.triplets.annotated_modality IS 'Modality of the item that was rated';
COMMENT ON COLUMN e_mm1_1m.triplets.encord_paired_id IS 'The item that the caption belongs to';
COMMENT ON COLUMN e_mm1_1m.triplets.encord_annotated_id IS 'The item that was rated';
COMMENT ON COLUMN e_mm1_1m.triplets.annotation IS 'The rating: a code of annotation_mapping';
