SELECT * FROM {{ source('emm1', 'same_files') }} LIMIT 200
