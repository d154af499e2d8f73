-- How many items of each kind have each licence text ("emm1_items": assets, or some of them).

SELECT dataset, modality::VARCHAR AS modality, source_dataset::VARCHAR AS source_dataset,
    dataset_license::VARCHAR AS dataset_license, count(*) AS items
FROM emm1_items
GROUP BY ALL
ORDER BY ALL
