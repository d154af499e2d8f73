-- What items are known by: two items are the same if they have a mark of the same kind with the same key. Those of the kind
-- `source` must be of the same source dataset where both say it, those of the kind `youtube` at overlapping times.

-- The name of a file without folders and suffix.
CREATE TEMP MACRO leakage_stem(path) AS regexp_replace(regexp_extract(path, '[^/\\]*$'), '\.[A-Za-z][A-Za-z0-9]{1,4}$', '');

-- Ids of images as their datasets write them, some with leading zeros, a prefix, or the class again.
CREATE TEMP MACRO leakage_source_id(given) AS
    CASE
        WHEN contains(given, '://') THEN given
        ELSE regexp_replace(
            regexp_replace(leakage_stem(given), '^(n[0-9]{8}_[0-9]+)_n[0-9]{8}$', '\1'),
            '^(?:COCO_(?:train|val|test)[0-9]{4}_)?0*([0-9]+)$', '\1'
        )
    END;

-- Clips of ten seconds, unless they say when they end; without a start any time of the video counts.
CREATE TEMP MACRO leakage_end(clip_start, clip_end) AS
    CASE WHEN isfinite(clip_end) AND clip_end > clip_start THEN clip_end ELSE clip_start + 10 END;

-- Images are called by their ids, so their folder counts too. Names of the others are made from their sources, and audio is the
-- sound of the video of the same name, as in items.sql of the splits. `name` is for lists, which have no folders: names
-- of images that are no more than their ids say nothing there.
CREATE TEMP VIEW leakage_marks AS
WITH named AS (
    SELECT *, leakage_stem(nullif(file_name, '')) AS stem, CASE WHEN isfinite(start_time) THEN start_time END AS clip_start
    FROM leakage_items
    WHERE modality <> 'text'
)
SELECT side, dataset, modality, id, 'file' AS kind,
    CASE modality
        WHEN 'image' THEN concat_ws('/', 'image', coalesce(save_folder::VARCHAR, ''), file_name)
        WHEN 'points' THEN concat_ws('/', 'points', stem)
        ELSE concat_ws('/', 'clip', stem)
    END AS key,
    NULL::VARCHAR AS source, NULL::DOUBLE AS clip_start, NULL::DOUBLE AS clip_end
FROM named
WHERE stem IS NOT NULL
UNION ALL
SELECT side, dataset, modality, id, 'name', stem, NULL, NULL, NULL
FROM named
WHERE modality = 'image' AND stem <> id::VARCHAR
UNION ALL
SELECT side, dataset, modality, id, 'source', leakage_source_id(file_id), source_dataset::VARCHAR, NULL, NULL
FROM named
WHERE modality IN ('image', 'video') AND file_id <> ''
UNION ALL
SELECT side, dataset, modality, id, 'object', lower(coalesce(nullif(file_id, ''), stem)), NULL, NULL, NULL
FROM named
WHERE modality = 'points' AND coalesce(nullif(file_id, ''), stem) IS NOT NULL
UNION ALL
SELECT side, dataset, modality, id, 'youtube', video, NULL, clip_start, leakage_end(clip_start, end_time)
FROM (
    SELECT *,
        coalesce(
            nullif(youtube_id, ''),
            nullif(regexp_extract(file_id, '^([A-Za-z0-9_-]{11})-Scene-[0-9]+$', 1), ''),
            nullif(regexp_extract(stem, '^([A-Za-z0-9_-]{11})_[0-9]+$', 1), '')
        ) AS video
    FROM named
    WHERE modality IN ('audio', 'video')
)
WHERE video IS NOT NULL;
