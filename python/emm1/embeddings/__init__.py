"""Embedding files: exact search in one file, and for every vector of another. No store is needed."""

from emm1.embeddings.file import Embeddings, score_pairs
from emm1.embeddings.hits import Hits

__all__ = ["Embeddings", "Hits", "score_pairs"]
