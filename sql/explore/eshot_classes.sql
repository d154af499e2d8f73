-- The categories of EShot, and how many samples each has.

SELECT
    category,
    count(*) FILTER (modality = 'audio') AS audio,
    count(*) FILTER (modality = 'points') AS points
FROM eshot.categories
GROUP BY category
ORDER BY category
