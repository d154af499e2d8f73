-- The index of captions. Made empty, and filled by emm1 index captions, which runs this file again in place of deleting the rows
-- of an older index. A row for each occurrence is what DuckDB reads fastest: the rows of a word follow one another, so that all
-- others are skipped by the ranges of their row groups, and each column compresses to a byte or less.

CREATE TABLE caption_index (
    captions BIGINT NOT NULL,
    occurrences BIGINT NOT NULL,
    fingerprint VARCHAR NOT NULL
);
COMMENT ON TABLE caption_index IS 'The index of captions: one row, or none until emm1 index captions';
COMMENT ON COLUMN caption_index.captions IS 'Captions that have a word';
COMMENT ON COLUMN caption_index.occurrences IS 'Words in all captions, repeated ones each time';
COMMENT ON COLUMN caption_index.fingerprint IS 'Of all captions with their ids: a build that changes one drops the index';

CREATE TABLE caption_words (
    word VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    captions BIGINT NOT NULL,
    high DOUBLE
);
COMMENT ON TABLE caption_words IS 'The different words of all captions, case and accents folded';
COMMENT ON COLUMN caption_words.word IS 'The word';
COMMENT ON COLUMN caption_words.number IS 'Its place among the words, from 1';
COMMENT ON COLUMN caption_words.captions IS 'Captions that have it';
COMMENT ON COLUMN caption_words.high IS 'Of a word in very many captions: those in which it scores most are those in which it scores as if it stood once in a caption of fewer words than this';

CREATE TABLE caption_postings (
    word INTEGER NOT NULL,
    dataset TINYINT NOT NULL,
    id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    occurrences INTEGER NOT NULL,
    length INTEGER NOT NULL
);
COMMENT ON TABLE caption_postings IS 'Every occurrence of every word in a caption, in the order of the first four columns';
COMMENT ON COLUMN caption_postings.word IS 'Number of the word';
COMMENT ON COLUMN caption_postings.dataset IS 'Dataset of the caption: 0 is 100m, 1 is 1m';
COMMENT ON COLUMN caption_postings.id IS 'The caption';
COMMENT ON COLUMN caption_postings.position IS 'Place of the word in the caption, from 1';
COMMENT ON COLUMN caption_postings.occurrences IS 'How often the caption has the word; 0 if this is not the first time';
COMMENT ON COLUMN caption_postings.length IS 'Words of the caption';
