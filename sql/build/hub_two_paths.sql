-- The first row of the Hub's files that gives an item another file path than an earlier row does, and that row.

SELECT s.id, f.path, f.place, s.path, s.place
FROM hub_several s
JOIN (SELECT id, arg_min(path, place) AS path, min(place) AS place FROM hub_several WHERE path IS NOT NULL GROUP BY id) f
    USING (id)
WHERE s.path <> f.path
ORDER BY s.place
LIMIT 1;
