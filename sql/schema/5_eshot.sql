-- EShot: the zero-shot benchmark, audio and point clouds in 112 categories.

CREATE SCHEMA eshot;

CREATE TABLE eshot.audio (
    eshot_audio_id INTEGER NOT NULL,
    youtube_id VARCHAR,
    start_time DOUBLE,
    end_time DOUBLE,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON TABLE eshot.audio IS 'The audio clips of EShot, in the order of the published file (rowid)';
COMMENT ON COLUMN eshot.audio.eshot_audio_id IS 'Id of the sample';
COMMENT ON COLUMN eshot.audio.youtube_id IS 'YouTube video the clip is cut from';
COMMENT ON COLUMN eshot.audio.start_time IS 'Start of the clip in its source, seconds';
COMMENT ON COLUMN eshot.audio.end_time IS 'End of the clip in its source, seconds';
COMMENT ON COLUMN eshot.audio.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN eshot.audio.save_folder IS 'Folder under the media root';

CREATE TABLE eshot.points (
    eshot_point_id INTEGER NOT NULL,
    file_id VARCHAR,
    file_name VARCHAR,
    save_folder VARCHAR
);
COMMENT ON TABLE eshot.points IS 'The point clouds of EShot, in the order of the published file (rowid)';
COMMENT ON COLUMN eshot.points.eshot_point_id IS 'Id of the sample';
COMMENT ON COLUMN eshot.points.file_id IS 'Id of the 3D object in its source (Objaverse)';
COMMENT ON COLUMN eshot.points.file_name IS 'Name of the file in its folder';
COMMENT ON COLUMN eshot.points.save_folder IS 'Folder under the media root';

CREATE TABLE eshot.categories (
    category VARCHAR NOT NULL,
    class_index SMALLINT,
    modality modality NOT NULL,
    eshot_id INTEGER NOT NULL
);
COMMENT ON TABLE eshot.categories IS 'Which samples belong to which category, in the order of the published files (rowid)';
COMMENT ON COLUMN eshot.categories.category IS 'Name of the category';
COMMENT ON COLUMN eshot.categories.class_index IS 'From 0, in code-point order of the audio categories; NULL for one that only the points have';
COMMENT ON COLUMN eshot.categories.modality IS 'audio or points';
COMMENT ON COLUMN eshot.categories.eshot_id IS 'The sample: eshot_audio_id or eshot_point_id';
