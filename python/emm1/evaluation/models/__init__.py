"""A model is a thing: everything that its embeddings allow to be evaluated, side by side with other models."""
