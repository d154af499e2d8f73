SELECT * FROM {{ source('emm1', 'assets') }} LIMIT 200
