"""Vectors in files: opened, searched exactly, file against file. No store is needed."""

from emm1.embeddings.file import Embeddings, Hits, score_pairs

__all__ = ["Embeddings", "Hits", "score_pairs"]
