-- Writes what was found of some items ("emm1_examined"; checked in microseconds since 1970, UTC).

INSERT INTO media_status (dataset, modality, id, status, detail, checked_at)
SELECT dataset, modality, id, status, detail, make_timestamp(checked)
FROM emm1_examined
