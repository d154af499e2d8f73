"""E-MM1, the largest open multimodal dataset, as one DuckDB file with exact top-k similarity."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from emm1.errors import EmbeddingError, Error, FileNotFoundError, SourceError, StoreError

if TYPE_CHECKING:
    from emm1 import encoders
    from emm1.convert import import_embeddings
    from emm1.convert.embed import Embedded
    from emm1.curation.duplicates.report import DuplicatesReport
    from emm1.curation.leakage.report import LeakageReport
    from emm1.curation.licenses.report import GroupLicenseReport, LicenseReport
    from emm1.curation.map_report import MapReport
    from emm1.curation.media_status import MediaReport
    from emm1.curation.split_report import SplitReport
    from emm1.distributed.lake import LakeReport
    from emm1.embeddings import Embeddings, Hits, Ranks, score_pairs
    from emm1.embeddings.knn import Neighbours, knn
    from emm1.embeddings.knn_files import knn_shard, knn_to_parquet, merge_knn
    from emm1.evaluation.eshot.classify import EShotReport
    from emm1.evaluation.eshot.comparison import EShotComparison
    from emm1.evaluation.groups.agreement import GroupsAgreement
    from emm1.evaluation.models.report import ModelsReport
    from emm1.evaluation.ratings.report import RatingsReport
    from emm1.evaluation.retrieval.comparison import RetrievalComparison
    from emm1.evaluation.retrieval.report import RetrievalReport
    from emm1.evaluation.retrieval.run import retrieval
    from emm1.evaluation.zero_shot.call import zero_shot
    from emm1.evaluation.zero_shot.report import ZeroShotReport
    from emm1.export.run import ExportReport
    from emm1.ingest.build import build
    from emm1.negatives.mine import NegativesReport
    from emm1.sample import write_sample
    from emm1.store import Store
    from emm1.store.extension import load_extension
    from emm1.store.opening import open

__all__ = [
    "DuplicatesReport",
    "EShotComparison",
    "EShotReport",
    "Embedded",
    "EmbeddingError",
    "Embeddings",
    "Error",
    "ExportReport",
    "FileNotFoundError",
    "GroupLicenseReport",
    "GroupsAgreement",
    "Hits",
    "LakeReport",
    "LeakageReport",
    "LicenseReport",
    "MapReport",
    "MediaReport",
    "ModelsReport",
    "NegativesReport",
    "Neighbours",
    "Ranks",
    "RatingsReport",
    "RetrievalComparison",
    "RetrievalReport",
    "SourceError",
    "SplitReport",
    "Store",
    "StoreError",
    "ZeroShotReport",
    "build",
    "encoders",
    "import_embeddings",
    "knn",
    "knn_shard",
    "knn_to_parquet",
    "load_extension",
    "merge_knn",
    "open",
    "retrieval",
    "score_pairs",
    "write_sample",
    "zero_shot",
]
__version__: str

# The modules of the names above that are slow to import; each is imported on first use.
_MODULES = {
    "convert": ("import_embeddings",),
    "convert.embed": ("Embedded",),
    "curation.duplicates.report": ("DuplicatesReport",),
    "curation.leakage.report": ("LeakageReport",),
    "curation.licenses.report": ("GroupLicenseReport", "LicenseReport"),
    "curation.map_report": ("MapReport",),
    "curation.media_status": ("MediaReport",),
    "curation.split_report": ("SplitReport",),
    "distributed.lake": ("LakeReport",),
    "embeddings": ("Embeddings", "Hits", "Ranks", "score_pairs"),
    "embeddings.knn": ("Neighbours", "knn"),
    "embeddings.knn_files": ("knn_shard", "knn_to_parquet", "merge_knn"),
    "encoders": (),
    "evaluation.eshot.comparison": ("EShotComparison",),
    "evaluation.eshot.classify": ("EShotReport",),
    "evaluation.groups.agreement": ("GroupsAgreement",),
    "evaluation.models.report": ("ModelsReport",),
    "evaluation.ratings.report": ("RatingsReport",),
    "evaluation.retrieval.comparison": ("RetrievalComparison",),
    "evaluation.retrieval.report": ("RetrievalReport",),
    "evaluation.retrieval.run": ("retrieval",),
    "evaluation.zero_shot.call": ("zero_shot",),
    "evaluation.zero_shot.report": ("ZeroShotReport",),
    "export.run": ("ExportReport",),
    "ingest.build": ("build",),
    "negatives.mine": ("NegativesReport",),
    "sample": ("write_sample",),
    "store.extension": ("load_extension",),
    "store.opening": ("open",),
    "store": ("Store",),
}

if not TYPE_CHECKING:  # a type checker would conclude that the module has every name

    def __getattr__(name: str) -> object:
        if name == "__version__":
            return import_module("importlib.metadata").version("emm1")
        for module, names in _MODULES.items():
            if name == module or name in names:
                imported = import_module(f"{__name__}.{module}")
                return imported if name == module else getattr(imported, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *(m for m in _MODULES if "." not in m)})
