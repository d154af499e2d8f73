-- Writes the table licenses ("emm1_licenses": its rows).

CREATE OR REPLACE TABLE licenses AS FROM emm1_licenses;
COMMENT ON TABLE licenses IS 'What the licence texts of the items say, as reviewed by hand; no legal advice; written by emm1 licenses. Join by modality, source_dataset and dataset_license';
COMMENT ON COLUMN licenses.modality IS 'Modality of the items';
COMMENT ON COLUMN licenses.source_dataset IS 'Dataset the items come from, as published';
COMMENT ON COLUMN licenses.dataset_license IS 'The licence text as published';
COMMENT ON COLUMN licenses.spdx IS 'SPDX identifier or LicenseRef; LicenseRef-unreviewed: nobody has reviewed this text; NOASSERTION: none is stated';
COMMENT ON COLUMN licenses.covers IS 'What the licence is of: captions, annotations (not the media), collection (not the rights in each of its items) or media; NULL: not known';
COMMENT ON COLUMN licenses.reviewed IS 'Whether the text has been reviewed';
COMMENT ON COLUMN licenses.commercial_use IS 'Whether the items may be used commercially; NULL: the licence does not say so of them';
COMMENT ON COLUMN licenses.redistribution IS 'Whether the items may be passed on; NULL: the licence does not say so of them';
COMMENT ON COLUMN licenses.attribution IS 'Whether the source must be named; NULL: the licence does not say so of them';
COMMENT ON COLUMN licenses.share_alike IS 'Whether adaptations must have the same licence; NULL: the licence does not say so of them';
