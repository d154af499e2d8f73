MODEL (
  name mesh.some_@{view},
  kind FULL,
  blueprints (
    (view := assets),
    (view := eshot_categories),
    (view := group_captions),
    (view := groups),
    (view := same_files),
    (view := triplets)
  )
);

SELECT * FROM emm1.main.@{view} LIMIT 200
