"""What the embeddings of models allow to be evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emm1.checks import listed
from emm1.dataset import Split
from emm1.errors import EmbeddingError
from emm1.evaluation.eshot.comparison import check_names
from emm1.store.store import Store

# The registered name of the embeddings of a split and a modality.
Files = Mapping[tuple[Split, str], str]


def models_of(store: Store, names: Sequence[str], baseline: str | None) -> dict[str, Files]:
    """The registered embeddings of models, by split and modality; the baseline first, if it is not among them.

    Raises:
        EmbeddingError: no model, a name that is given twice, or a model that no embeddings are registered for.
    """
    wanted: list[str] = listed(names, "models")
    if not wanted:
        raise EmbeddingError("no models: name at least one that embeddings are registered with, as in ['new']")
    if baseline is not None and baseline not in wanted:
        wanted.insert(0, baseline)
    check_names(wanted, baseline)
    if len(set(wanted)) < len(wanted):
        raise EmbeddingError(f"a model is given twice: {', '.join(wanted)}")
    registered = store.registry.models
    return {name: registered[name] for name in wanted}


def lacking(models: Mapping[str, Files], needed: Sequence[tuple[Split, str]]) -> dict[str, str]:
    """The models that lack embeddings, and which they lack."""
    return {
        name: " and ".join(f"{dataset} {modality}" for dataset, modality in needed if (dataset, modality) not in files)
        for name, files in models.items()
        if not all(each in files for each in needed)
    }


def rated_pairs(store: Store) -> list[tuple[str, str]]:
    """The ordered pairs of modalities, paired and annotated, of the rated triplets."""
    with store.cursor() as connection:
        pairs = connection.sql(
            "SELECT DISTINCT paired_modality::VARCHAR, annotated_modality::VARCHAR FROM e_mm1_1m.triplets ORDER BY ALL"
        ).fetchall()
    return [(paired, annotated) for paired, annotated in pairs]


def covered(files: Files, pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether a model has both embeddings of a rated pair, of the items or of caption and annotated item.

    >>> covered({("1m", "text"): "captions", ("1m", "image"): "images"}, [("audio", "image")])
    True
    """
    own = {modality for dataset, modality in files if dataset == "1m"}
    return any(annotated in own and not own.isdisjoint({paired, "text"}) for paired, annotated in pairs)
