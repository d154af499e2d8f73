"""Converts files that cannot be searched directly to ``.npy``."""

from emm1.convert.run import convert, import_embeddings

__all__ = ["convert", "import_embeddings"]
