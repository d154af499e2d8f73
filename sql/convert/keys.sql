-- What keys of embeddings and items are compared by (python/emm1/convert/kinds.py). Temporary: an import leaves no trace in the
-- store. Texts are compared in Unicode's NFC, because macOS returns file names in decomposed form.

CREATE TEMP MACRO emm1_id(id) AS id::VARCHAR;

CREATE TEMP MACRO emm1_text(text) AS nfc_normalize(text);

CREATE TEMP MACRO emm1_last(path) AS
    -- The name of a file without the folders before it.
    nfc_normalize(regexp_replace(path, '^.*[/\\]', '', 's'));

CREATE TEMP MACRO emm1_stem(file) AS
    -- What is before the last dot.
    nfc_normalize(regexp_replace(file, '\.[^.]*$', ''));

CREATE TEMP MACRO emm1_last_stem(path) AS
    nfc_normalize(regexp_replace(regexp_replace(path, '^.*[/\\]', '', 's'), '\.[^.]*$', ''));

CREATE TEMP MACRO emm1_place(path) AS
    -- The folder two above a file, and the file: the folder between may be audio or video for the same file.
    nfc_normalize(regexp_replace(path, '^(?:.*[/\\])?([^/\\]+)[/\\][^/\\]+[/\\]([^/\\]+)$', '\1/\2', 's'));

CREATE TEMP MACRO emm1_own_place(folder, file) AS nfc_normalize(folder::VARCHAR || '/' || file);

CREATE TEMP MACRO emm1_clip(youtube, starts) AS
    -- As the files of clips are named: whole seconds without a fraction.
    nfc_normalize(
        youtube || '_' || CASE WHEN starts = trunc(starts) THEN starts::BIGINT::VARCHAR ELSE starts::VARCHAR END
    );
