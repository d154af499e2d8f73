"""E-MM1, the largest open multimodal dataset, as one DuckDB file with exact top-k similarity."""

from importlib.metadata import version

from emm1.embeddings import Embeddings, Hits
from emm1.errors import EmbeddingError, Error, FileNotFoundError, SourceError, StoreError
from emm1.eshot import EShotReport
from emm1.extension import load_extension
from emm1.sample import write_sample
from emm1.store import Store, build, open

__all__ = [
    "EShotReport",
    "EmbeddingError",
    "Embeddings",
    "Error",
    "FileNotFoundError",
    "Hits",
    "SourceError",
    "Store",
    "StoreError",
    "build",
    "load_extension",
    "open",
    "write_sample",
]
__version__ = version("emm1")
