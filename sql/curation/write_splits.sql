-- Adds the items of a dataset and modality to the table of splits, in the order of their ids.

INSERT INTO splits
SELECT $dataset, $modality::modality, id, list_extract(['train', 'validation', 'test', 'purged'], code + 1)
FROM emm1_labelled
ORDER BY id;
