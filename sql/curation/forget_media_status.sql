-- Takes away what was found of some items ("emm1_examined") before.

DELETE FROM media_status
USING (SELECT dataset, modality::modality AS modality, id FROM emm1_examined) e
WHERE media_status.dataset = e.dataset AND media_status.modality = e.modality AND media_status.id = e.id
