-- The items of a dataset and modality with the keys of their files: items with the same key are one file under several ids.
-- Images are called by their ids, so their folder counts too. Names of the others are made from their sources, and audio is
-- the sound of the video of the same name (published as .mp4, in the same folder). EShot has a folder of its own.

SELECT id, ('0x' || left(sha256(file), 16))::UBIGINT AS key
FROM (
    SELECT id,
        CASE
            WHEN coalesce(file_name, '') = '' THEN concat_ws('/', 'no file', dataset, modality, id)
            WHEN modality = 'image' THEN concat_ws('/', modality, coalesce(save_folder::VARCHAR, ''), file_name)
            WHEN modality = 'points' THEN concat_ws('/', modality, file_name)
            ELSE concat_ws('/', 'clip', file_name)
        END AS file
    FROM assets
    WHERE dataset = $dataset AND modality = $modality AND modality <> 'text'
);
