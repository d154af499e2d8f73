SELECT * FROM {{ source('emm1', 'eshot_categories') }} LIMIT 200
