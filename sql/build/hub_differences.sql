-- For each column of the Hub's files, how many items have rows that differ from their first one, and an example.

WITH texts AS (
    SELECT id, place, COLUMNS(* EXCLUDE (id, path, place))::VARCHAR
    FROM hub_several
),
said AS (
    SELECT id, place, name, value
    FROM texts UNPIVOT INCLUDE NULLS (value FOR name IN (COLUMNS(* EXCLUDE (id, place))))
),
compared AS (
    SELECT *, first_value(value) OVER first AS before, first_value(place) OVER first AS first
    FROM said
    WINDOW first AS (PARTITION BY name, id ORDER BY place)
)
SELECT
    name,
    count(DISTINCT id),
    arg_min({id: id, before: before, first: first, value: value, place: place}, place)
FROM compared
WHERE value IS DISTINCT FROM before
GROUP BY name
ORDER BY name;
