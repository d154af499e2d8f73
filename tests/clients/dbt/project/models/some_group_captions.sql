SELECT * FROM {{ source('emm1', 'group_captions') }} LIMIT 200
