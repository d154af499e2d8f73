"""Evaluation of embeddings: the EShot benchmark."""
