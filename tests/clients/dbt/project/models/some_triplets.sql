SELECT * FROM {{ source('emm1', 'triplets') }} LIMIT 200
