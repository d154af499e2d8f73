-- The paths of the files of a dataset and modality ($dataset, $modality) by the ids of the items.

SELECT id, file_path AS value FROM assets WHERE dataset = $dataset AND modality::VARCHAR = $modality ORDER BY id;
