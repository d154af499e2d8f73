-- The items of a dataset and modality whose files are not ok.

SELECT id AS item
FROM media_status
WHERE dataset = $dataset AND modality::VARCHAR = $modality AND status <> 'ok'
