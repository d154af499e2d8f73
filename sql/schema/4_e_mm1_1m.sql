-- E-MM1:1M: what its tables of items are called, and the triplets that people rated.

COMMENT ON TABLE e_mm1_1m.text IS 'The captions of E-MM1:1M';
COMMENT ON TABLE e_mm1_1m.image IS 'The images of E-MM1:1M';
COMMENT ON TABLE e_mm1_1m.audio IS 'The audio clips of E-MM1:1M';
COMMENT ON TABLE e_mm1_1m.video IS 'The video clips of E-MM1:1M';
COMMENT ON TABLE e_mm1_1m.points IS 'The point clouds of E-MM1:1M';

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
