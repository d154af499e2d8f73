-- The items whose media file was checked, and found well every time.

SELECT dataset, modality::VARCHAR AS modality, 'ok' AS flag, id::BIGINT AS id
FROM media_status
GROUP BY dataset, modality, id
HAVING bool_and(status = 'ok')
ORDER BY ALL
