"""Agreement with people: a model's similarities compared with the ratings of the triplets."""
