"""Embedding files: exact search in one file, and for every vector of another. No store is needed."""

from emm1.embeddings.file import Embeddings
from emm1.embeddings.hits import Hits
from emm1.embeddings.pairs import score_pairs
from emm1.embeddings.ranks import Ranks

__all__ = ["Embeddings", "Hits", "Ranks", "score_pairs"]
