-- Takes away what the same source said in the same word about some items ("emm1_flagged").

DELETE FROM flags
WHERE flag = $flag AND source = $source
AND (dataset, modality::VARCHAR, id) IN (SELECT (dataset, modality, id) FROM emm1_flagged)
