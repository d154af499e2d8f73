-- What is looked for among the items of every side before it: the items of a store that are not of E-MM1:100M's training.

CREATE TEMP TABLE leakage_targets AS
SELECT side, dataset, modality, id, NULL::BIGINT AS row, kind, key, source, clip_start, clip_end
FROM leakage_marks
WHERE side > 0 AND kind <> 'name'
