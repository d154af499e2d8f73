"""Media files: what they are, and point clouds in the form in which models read them."""
