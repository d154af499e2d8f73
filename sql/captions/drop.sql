-- Drops the index; sql/schema/6_captions.sql makes it anew, empty. DuckDB keeps a note of every row that is deleted, which would take
-- half a gigabyte for the index of all captions.

DROP TABLE IF EXISTS main.caption_index;
DROP TABLE IF EXISTS main.caption_words;
DROP TABLE IF EXISTS main.caption_postings;
