"""Converts files that cannot be searched directly (Parquet, Arrow, Lance, ``.npz``, ``.pt``) to ``.npy``."""

from emm1.convert.run import convert, import_embeddings

__all__ = ["convert", "import_embeddings"]
