"""Files that cannot be searched as they are become ``.npy`` files: Parquet, Arrow, Lance, ``.npz``, ``.pt``."""

from emm1.convert.run import convert, import_embeddings

__all__ = ["convert", "import_embeddings"]
