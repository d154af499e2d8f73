-- The ids, of some of one kind, that no item of the store has.

SELECT wanted.id
FROM (SELECT unnest($ids::INTEGER[]) AS id) AS wanted
ANTI JOIN (SELECT id FROM assets WHERE dataset = $dataset AND modality = $modality) AS known ON known.id = wanted.id
ORDER BY wanted.id
LIMIT 1
