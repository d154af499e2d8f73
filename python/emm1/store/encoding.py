"""The method of a store that encodes its items; what it does is in `emm1.convert.embed`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import emm1
from emm1.checks import PathLike
from emm1.dataset import Split
from emm1.embeddings.file import Metric
from emm1.encoders import Encoder

if TYPE_CHECKING:
    from emm1.store.store import Store


class Encoding:
    """Part of `Store`."""

    def embed(
        self,
        name: str,
        encoder: Encoder | str,
        *,
        modality: str,
        dataset: Split = "100m",
        root: PathLike | None = None,
        output: PathLike | None = None,
        where: str | None = None,
        batch_size: int = 32,
        metric: Metric = "cosine",
        model: str | None = None,
        replace: bool = False,
        merge: bool = False,
        progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
    ) -> emm1.Embedded:
        """Encode the items whose media are there, write their vectors and ids, and register them under a name.

        An interrupted call goes on where it was when it is made again: finished parts, of 1,024 items each, are kept in
        ``OUTPUT.parts``. Items without a file, and files that the encoder cannot read, are counted and have no vector.

        Args:
            name: the name to register.
            encoder: an `emm1.encoders.Encoder`, or the name of one, as `emm1.encoders.encoder_named` takes it.
            modality: the modality of the items.
            dataset: their split: ``100m``, ``1m`` or ``eshot``.
            root: the folder of the media; by default that of the store.
            output: the ``.npy`` file to write, which must not exist; by default ``NAME.npy`` next to the store. The ids go to
                ``NAME.ids.npy`` beside it.
            where: an SQL condition on the info rows; only items that satisfy it are encoded.
            batch_size: items that the encoder gets at once.
            metric: the default metric of searches.
            model: the model that the encoder is: `Registry.models` says which embeddings are of one model.
            replace: replace embeddings that are already registered under this name. Their file is not touched.
            merge: whether shards encoded the items (`emm1.convert.embed.embed_shard`): then their parts are joined, and none may be missing.
            progress: called from time to time with what is being done, how many items are done, and how many there are.

        Raises:
            emm1.errors.EmbeddingError: an encoder that does not exist, cannot be loaded, does not take the modality or fails;
                the output exists; no item has a file that can be read.
            emm1.errors.StoreError: the name is taken, the condition is not SQL, or the store is read-only.

        >>> import emm1, numpy as np
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> class Lengths:
        ...     modalities, dims = ["text"], 2
        ...
        ...     def encode(self, modality, items):
        ...         return np.array([[len(caption), caption.count(" ")] for caption in items], "float32")
        >>> print(store.embed("lengths", Lengths(), modality="text", where="encord_text_id < 3"))
        3 × 2 float32; ids from lengths.ids.npy; 3 of 6,706 text items of 100m have a vector
        >>> store.nearest("lengths", text="a dog barks", encoder=Lengths(), k=1).columns
        ['rank', 'id', 'score']
        """
        from emm1.convert.embed import embed

        return embed(
            cast("Store", self),
            name,
            encoder,
            modality=modality,
            dataset=dataset,
            root=root,
            output=output,
            where=where,
            batch_size=batch_size,
            metric=metric,
            model=model,
            replace=replace,
            merge=merge,
            progress=progress,
        )
