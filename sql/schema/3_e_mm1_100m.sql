-- E-MM1:100M: what its tables of items are called, and the groups of nearest neighbours of each caption.

COMMENT ON TABLE e_mm1_100m.text IS 'The captions of E-MM1:100M';
COMMENT ON TABLE e_mm1_100m.image IS 'The images of E-MM1:100M';
COMMENT ON TABLE e_mm1_100m.audio IS 'The audio clips of E-MM1:100M';
COMMENT ON TABLE e_mm1_100m.video IS 'The video clips of E-MM1:100M';
COMMENT ON TABLE e_mm1_100m.points IS 'The point clouds of E-MM1:100M';

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
