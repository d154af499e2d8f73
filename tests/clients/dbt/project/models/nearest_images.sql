{{ config(pre_hook="USE emm1", post_hook="USE dbt") }}
SELECT * FROM nearest('image', embedding('text', 7), k := 5)
