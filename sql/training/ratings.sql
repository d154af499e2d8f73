-- The ratings that there are, by code and label.

SELECT annotation::VARCHAR AS code, annotation_label AS label FROM e_mm1_1m.annotation_mapping ORDER BY annotation;
