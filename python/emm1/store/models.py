"""Which registered embeddings are of one model."""

from __future__ import annotations

from typing import NoReturn

from emm1.dataset import Split
from emm1.errors import UnknownNameError


class Models(dict[str, dict[tuple[Split, str], str]]):
    """For each model, the names of its embeddings by dataset and modality; `Registry.models` gives it.

    >>> Models({"new": {("100m", "text"): "captions"}})["old"]
    Traceback (most recent call last):
    emm1.errors.UnknownNameError: no embeddings are of a model 'old': registered are embeddings of new; `emm1 embeddings add` takes the name of the model
    """

    def __missing__(self, model: str) -> NoReturn:
        known = (
            f"registered are embeddings of {', '.join(self)}" if self else "no embeddings were registered with a model"
        )
        raise UnknownNameError(
            f"no embeddings are of a model {model!r}: {known}; `emm1 embeddings add` takes the name of the model"
        )
