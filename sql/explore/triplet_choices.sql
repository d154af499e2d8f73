-- What rated triplets can be filtered by: ratings, and the sources and licences of the items of E-MM1:1M.

WITH items AS (
    SELECT source_dataset::VARCHAR AS source, dataset_license::VARCHAR AS license
    FROM assets
    WHERE dataset = '1m' AND modality <> 'text'
)
SELECT
    (SELECT list(annotation_label::VARCHAR ORDER BY annotation) FROM e_mm1_1m.annotation_mapping) AS labels,
    (SELECT list(source ORDER BY source) FROM (SELECT DISTINCT source FROM items WHERE source IS NOT NULL)) AS sources,
    (SELECT list(license ORDER BY license) FROM (SELECT DISTINCT license FROM items WHERE license IS NOT NULL)) AS licenses
