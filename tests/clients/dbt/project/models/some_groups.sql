SELECT * FROM {{ source('emm1', 'groups') }} LIMIT 200
