-- Types shared by the whole store, and what the store says of itself.
-- Runs first. Catalog names are never written, so that every view works under ATTACH with any alias.

CREATE TYPE modality AS ENUM ('audio', 'image', 'points', 'text', 'video');

-- The other ENUMs (source_dataset, dataset_license, save_folder, annotation_label) have the values found in the files. Their
-- columns are VARCHAR in the files that follow, and become ENUMs when the values are known (python/emm1/ingest/enums.py).

CREATE TABLE emm1_store (
    schema_version INTEGER NOT NULL,
    emm1_version VARCHAR NOT NULL,
    built_at TIMESTAMP NOT NULL,
    media_root VARCHAR NOT NULL,
    store_id VARCHAR GENERATED ALWAYS AS ('STORE ID') VIRTUAL
);
COMMENT ON TABLE emm1_store IS 'One row: what made this file an emm1 store';
COMMENT ON COLUMN emm1_store.schema_version IS 'Version of the tables, views and macros in this file';
COMMENT ON COLUMN emm1_store.emm1_version IS 'Version of emm1 that built it';
COMMENT ON COLUMN emm1_store.built_at IS 'When it was built, UTC';
COMMENT ON COLUMN emm1_store.media_root IS 'Absolute folder of the media given at build; the variable emm1_root overrides it';
COMMENT ON COLUMN emm1_store.store_id IS 'Made at random by each build, and known to the macros of this store. A constant of the table: to compare it takes no time';

CREATE TABLE provenance (
    source VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 VARCHAR NOT NULL,
    "rows" BIGINT NOT NULL,
    read_at TIMESTAMP NOT NULL,
    emm1_version VARCHAR NOT NULL,
    published VARCHAR NOT NULL,
    note VARCHAR
);
COMMENT ON TABLE provenance IS 'Every source file this store was built from';
COMMENT ON COLUMN provenance.source IS 'Published name of the file, relative to the published datasets folder';
COMMENT ON COLUMN provenance.path IS 'Where it was read from';
COMMENT ON COLUMN provenance.bytes IS 'Size in bytes';
COMMENT ON COLUMN provenance.sha256 IS 'SHA-256 of the file, hexadecimal';
COMMENT ON COLUMN provenance."rows" IS 'Rows read (for JSON files: ids listed)';
COMMENT ON COLUMN provenance.read_at IS 'When it was read, UTC';
COMMENT ON COLUMN provenance.emm1_version IS 'Version of emm1 that read it';
COMMENT ON COLUMN provenance.published IS 'current or older: a published version of this file; unknown: any other content';
COMMENT ON COLUMN provenance.note IS 'What to know about this file, if anything';

CREATE TABLE embeddings (
    "name" VARCHAR NOT NULL PRIMARY KEY,
    dataset VARCHAR NOT NULL,
    modality modality NOT NULL,
    model VARCHAR,
    metric VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    ids_path VARCHAR,
    codes_path VARCHAR,
    "rows" BIGINT NOT NULL,
    dims INTEGER NOT NULL,
    dtype VARCHAR NOT NULL,
    bytes BIGINT NOT NULL,
    added_at TIMESTAMP NOT NULL,
    emm1_version VARCHAR NOT NULL,
    store_id VARCHAR GENERATED ALWAYS AS ('STORE ID') VIRTUAL
);
COMMENT ON TABLE embeddings IS 'The registered embedding files';
COMMENT ON COLUMN embeddings."name" IS 'Name used by search, nearest and eshot';
COMMENT ON COLUMN embeddings.dataset IS 'Split whose items the rows are: 100m, 1m or eshot';
COMMENT ON COLUMN embeddings.modality IS 'Modality of the items';
COMMENT ON COLUMN embeddings.model IS 'The model that made them: embeddings of one model are evaluated together; NULL: none was named';
COMMENT ON COLUMN embeddings.metric IS 'Metric used by default: cosine, dot or l2';
COMMENT ON COLUMN embeddings.path IS 'The file; relative to the folder of this store where it lies under it';
COMMENT ON COLUMN embeddings.ids_path IS 'The file of ids, likewise; NULL: the row number is the id';
COMMENT ON COLUMN embeddings.codes_path IS 'The file of codes, likewise; NULL: beside the file, empty: none';
COMMENT ON COLUMN embeddings."rows" IS 'Vectors in the file';
COMMENT ON COLUMN embeddings.dims IS 'Components of each vector';
COMMENT ON COLUMN embeddings.dtype IS 'Type of a component in the file';
COMMENT ON COLUMN embeddings.bytes IS 'Size of the file when it was registered';
COMMENT ON COLUMN embeddings.added_at IS 'When it was registered, UTC';
COMMENT ON COLUMN embeddings.emm1_version IS 'Version of emm1 that registered it';
COMMENT ON COLUMN embeddings.store_id IS 'As in emm1_store';

-- What commands find out. Made empty, and carried over by builds and upgrades (python/emm1/ingest/own_tables.py).

CREATE TABLE splits (
    dataset VARCHAR NOT NULL,
    modality modality NOT NULL,
    id INTEGER NOT NULL,
    split VARCHAR NOT NULL
);
COMMENT ON TABLE splits IS 'Which items to train with and which to test with, so that nothing leaks; written by emm1 split, empty before';
COMMENT ON COLUMN splits.dataset IS 'Split as published: 100m, 1m or eshot';
COMMENT ON COLUMN splits.modality IS 'Modality of the item';
COMMENT ON COLUMN splits.id IS 'Its id, unique within the dataset and modality only';
COMMENT ON COLUMN splits.split IS 'train, validation, test, or purged: in none of them, because training with it would leak';

CREATE TABLE maps (
    "name" VARCHAR NOT NULL,
    id INTEGER NOT NULL,
    x FLOAT NOT NULL,
    y FLOAT NOT NULL
);
COMMENT ON TABLE maps IS 'Embeddings laid out in the plane, so that what is alike lies together; written by emm1 map, empty before';
COMMENT ON COLUMN maps."name" IS 'Name of the registered embeddings';
COMMENT ON COLUMN maps.id IS 'Id of the item, of the dataset and modality of the embeddings';
COMMENT ON COLUMN maps.x IS 'Its place; the axes have no unit';
COMMENT ON COLUMN maps.y IS 'Its place; the axes have no unit';

CREATE TABLE media_status (
    dataset VARCHAR NOT NULL,
    modality modality NOT NULL,
    id INTEGER NOT NULL,
    status VARCHAR NOT NULL,
    detail VARCHAR,
    checked_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE media_status IS 'Whether the media file of an item can be read, as whoever checked it has written; empty before';
COMMENT ON COLUMN media_status.dataset IS 'Split as published: 100m, 1m or eshot';
COMMENT ON COLUMN media_status.modality IS 'Modality of the item';
COMMENT ON COLUMN media_status.id IS 'Its id, unique within the dataset and modality only';
COMMENT ON COLUMN media_status.status IS 'What was found';
COMMENT ON COLUMN media_status.detail IS 'More about it, if there is more to say';
COMMENT ON COLUMN media_status.checked_at IS 'When it was checked, UTC';

CREATE TABLE flags (
    dataset VARCHAR NOT NULL,
    modality modality NOT NULL,
    id INTEGER NOT NULL,
    flag VARCHAR NOT NULL,
    detail VARCHAR,
    source VARCHAR NOT NULL,
    "at" TIMESTAMP NOT NULL
);
COMMENT ON TABLE flags IS 'What commands and people noted about items, one row for each note; empty before';
COMMENT ON COLUMN flags.dataset IS 'Split as published: 100m, 1m or eshot';
COMMENT ON COLUMN flags.modality IS 'Modality of the item';
COMMENT ON COLUMN flags.id IS 'Its id, unique within the dataset and modality only';
COMMENT ON COLUMN flags.flag IS 'The note in a word, as in duplicate, leak or broken';
COMMENT ON COLUMN flags.detail IS 'More about it, if there is more to say';
COMMENT ON COLUMN flags.source IS 'The command or page that noted it';
COMMENT ON COLUMN flags."at" IS 'When, UTC; in quotes in a query, since AT is a word of SQL';
