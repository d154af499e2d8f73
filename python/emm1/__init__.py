"""E-MM1, the largest open multimodal dataset, as one DuckDB file with exact top-k similarity."""

from importlib.metadata import version

from emm1.embeddings import Embeddings, Hits, score_pairs
from emm1.errors import EmbeddingError, Error, FileNotFoundError, SourceError, StoreError
from emm1.eshot import EShotReport
from emm1.extension import load_extension
from emm1.importing import import_embeddings
from emm1.knn import Neighbours, knn, knn_to_parquet
from emm1.opening import build, open
from emm1.sample import write_sample
from emm1.store import Store

__all__ = [
    "EShotReport",
    "EmbeddingError",
    "Embeddings",
    "Error",
    "FileNotFoundError",
    "Hits",
    "Neighbours",
    "SourceError",
    "Store",
    "StoreError",
    "build",
    "import_embeddings",
    "knn",
    "knn_to_parquet",
    "load_extension",
    "open",
    "score_pairs",
    "write_sample",
]
__version__ = version("emm1")
