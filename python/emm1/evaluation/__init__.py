"""How good embeddings are: the EShot benchmark."""
