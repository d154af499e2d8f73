"""The methods of a store that curate it; what they do is in `emm1.curation`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import duckdb

import emm1
from emm1.checks import PathLike
from emm1.embeddings.file import Metric
from emm1.store.excluded import flags

if TYPE_CHECKING:
    from emm1.store.store import Store


class Curations:
    """Part of `Store`."""

    def split(
        self,
        test: int = 0,
        validation: int = 0,
        *,
        by: Literal["caption", "connected"] = "caption",
        seed: int = 0,
        progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
    ) -> emm1.SplitReport:
        """Decide which items are for training, validation and test, so that nothing leaks, and write the table ``splits``.

        Captions are compared by their normalised text. No text and no file of a group or triplet of test or validation is in
        one that is left for training, whatever ids it has in either dataset. EShot as a whole is test. The same arguments give the
        same split on every machine. A split that the store has is replaced.

        Args:
            test: how many different texts are for test: of the groups, or of the triplets in a store without groups.
            validation: how many are for validation.
            by: ``caption`` chooses texts and purges training of all that they touch; ``connected`` chooses whole components of
                texts and files, so that nothing but what EShot touches needs to be purged.
            seed: decides which texts are chosen.
            progress: called from time to time with what is being done, how many rows were read, and how many there are.

        Returns:
            How many captions, items, groups and triplets are for training, validation and test, and how many are purged.

        Raises:
            emm1.errors.StoreError: the counts are impossible, or the store is read-only; the table is then as it was.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> report = store.split(test=5, validation=5)
        >>> report.to_frame().columns
        ['dataset', 'what', 'train', 'validation', 'test', 'purged']
        >>> store.sql("SELECT DISTINCT split FROM splits WHERE modality = 'text' ORDER BY ALL").fetchall()
        [('purged',), ('test',), ('train',), ('validation',)]
        """
        from emm1.curation.splits import split_store

        return split_store(cast("Store", self), test, validation, by, seed, progress=progress)

    def map(
        self,
        name: str,
        *,
        n_neighbors: int = 15,
        min_dist: float = 0.1,
        metric: Metric | None = None,
        sample: int = 400_000,
        seed: int = 0,
        progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
    ) -> emm1.MapReport:
        """Lay registered embeddings out in two dimensions, so that near items are near, and write the table ``maps``.

        The layout is UMAP's (L. McInnes, J. Healy and J. Melville, 2018), made from the exact nearest neighbours; it needs the
        package umap-learn: ``pip install 'emm1[map]'``. The same arguments give the same map on the same machine; on another one
        its bits may differ. A map of these embeddings that the store has is replaced.

        Args:
            name: the registered embeddings.
            n_neighbors: neighbours that each item is to be near to, itself among them, as in UMAP: more show the whole, fewer
                details.
            min_dist: how near points may be, from 0 to 1, as in UMAP.
            metric: the distance that says what is near: ``cosine`` or ``l2``; by default the registered metric, and cosine for
                ``dot``, which is no distance.
            sample: at most so many items, chosen by a hash of their ids and the seed; neighbours are then those in the sample.
            seed: UMAP's ``random_state``, and the seed of the sample.
            progress: called from time to time with what is being done, how much of it is done, and how much there is.

        Returns:
            What the map shows, and what was left out: zero vectors, by cosine.

        Raises:
            emm1.errors.EmbeddingError: an unknown name, an argument out of range, NaN or an infinity in a row, no rows.
            emm1.errors.StoreError: the store is read-only; as after any error, the map is then as it was.
            emm1.errors.Error: umap-learn is not installed.

        >>> import emm1, numpy as np
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> np.save(folder / "three.npy", np.array([[3, 0], [0, 1], [0, 2]], dtype="float32"))
        >>> store.add_embeddings("three", folder / "three.npy", dataset="100m", modality="text", ids=[0, 1, 2])
        >>> print(store.map("three").summary)
        map of three: 3 points, by cosine, on principal axes
        >>> store.sql("SELECT id, round(x), round(y) + 0 FROM maps ORDER BY id").fetchall()
        [(0, 10.0, 0.0), (1, -5.0, 0.0), (2, -5.0, 0.0)]
        """
        from emm1.curation.maps import make_map

        return make_map(
            cast("Store", self),
            name,
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            metric=metric,
            sample=sample,
            seed=seed,
            progress=progress,
        )

    def negatives(
        self,
        queries: PathLike,
        base: PathLike,
        output: PathLike,
        pairs: Any = "captions",
        *,
        num_negatives: int = 3,
        range_min: int = 0,
        range_max: int = 100,
        relative_margin: float | None = None,
        max_score: float | None = None,
        near_duplicates: float | None = None,
        metric: Metric | None = None,
        exclude: Sequence[str] = (),
        available: bool = False,
        progress: Callable[[int, int], object] = lambda _done, _all: None,
    ) -> emm1.NegativesReport:
        """Write hard negatives: for each query the best items of a gallery that do not belong to it, exactly, to train with.

        The options are those of ``mine_hard_negatives`` of sentence-transformers. An item never is a negative of a query if it is a
        right answer, or has the text or the file of one under another id, or is one of a query of the same text or file; nor if it is
        the query itself, or a triplet says that both belong together: a caption and its paired item, and what was rated Good with
        either. An interrupted run continues where it stopped.

        Args:
            queries: the registered name or the file of the vectors to search by.
            base: that of the vectors to search.
            output: the Parquet file to write; it must not exist. One row for each negative, by query and rank: query_id; positive_id,
                the right answer with the lowest score; negative_id; rank, from 1, among all items of `base`; score and
                positive_score, those of the two with the query, float32.
            pairs: the right answers, as of `retrieval`.
            num_negatives: how many for each query; the best that are left are taken.
            range_min: the best so many items are skipped.
            range_max: items beyond this rank are not looked at.
            relative_margin: a negative's score is at most (1 − margin) times that of the positive: positive − margin · |positive|.
            max_score: a negative's score is at most this.
            near_duplicates: leave out items whose cosine with any right answer of the query is at least this.
            metric: ``cosine``, ``dot`` or ``l2``; by default the registered one of `base`.
            exclude: flags such as ``duplicate``: items with one of them count as not there.
            available: likewise items whose media file was not checked and found well each time.
            progress: called from time to time with the number of queries done, and of all.

        Returns:
            How many rows were written, and how many queries have fewer than were asked for.

        Raises:
            emm1.errors.Error: options that are wrong or contradict each other, pairs that do not fit, an unknown name, no query that counts,
                an output that exists or has parts of another run.

        >>> import emm1, polars as pl
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m"])
        >>> for modality in ("text", "audio"):
        ...     file = folder / f"sample/embeddings/1m/{modality}.npy"
        ...     store.add_embeddings(modality, file, dataset="1m", modality=modality)
        >>> report = store.negatives("text", "audio", folder / "negatives.parquet", num_negatives=2, relative_margin=0.05)
        >>> report.queries, report.rows, report.fewer
        (211, 422, 0)
        >>> pl.read_parquet(folder / "negatives.parquet").columns
        ['query_id', 'positive_id', 'negative_id', 'rank', 'score', 'positive_score']
        """
        from emm1.negatives.mine import mine
        from emm1.negatives.rules import Rules

        rules = Rules(num_negatives, range_min, range_max, relative_margin, max_score, near_duplicates)
        store = cast("Store", self)
        return mine(store, queries, base, output, pairs, rules, metric, exclude, available, progress)

    def flags(self) -> duckdb.DuckDBPyRelation:
        """The flags that items have, which evaluations can exclude: flag, source, dataset, modality, and items, how many have it.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> store.add_flags({"dataset": ["100m"] * 2, "modality": ["image"] * 2, "id": [7, 8]}, "blurred")
        2
        >>> store.flags().fetchall()
        [('blurred', 'basket', '100m', 'image', 2)]
        >>> store.remove_flags("blurred")
        2
        """
        return flags(cast("Store", self).connection)

    def remove_flags(self, flag: str, *, source: str | None = None) -> int:
        """Take a flag away from all items that have it.

        Args:
            flag: the flag.
            source: only where this source gave it; None for all sources.

        Returns:
            How many notes were removed.

        Raises:
            emm1.errors.StoreError: no item has it, or the store is open for reading only.
        """
        from emm1.curation.flags import remove

        return remove(cast("Store", self), flag, source)

    def add_flags(self, items: PathLike | Any, flag: str, *, detail: str | None = None, source: str = "basket") -> int:
        """Note something about items in the table ``flags``; what the same source noted in the same word about them is replaced.

        Args:
            items: a file (.csv, .tsv, .json, .jsonl, .ndjson or .parquet) such as a basket of the local page, or a frame of any
                library, with the columns dataset (``100m``, ``1m`` or ``eshot``), modality and id. Repeats count once.
            flag: the note in a word, such as ``broken``: up to 40 of a-z, 0-9, _ and -, with a letter first.
            detail: more about it, the same for all items.
            source: who says so, likewise a word.

        Returns:
            How many items were flagged.

        Raises:
            emm1.errors.Error: a row that names no item of the store (none is flagged then), a file that cannot be read, or a store
                that is open for reading only.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> store.add_flags({"dataset": ["100m"], "modality": ["image"], "id": [7]}, "blurred", detail="see above")
        1
        >>> store.sql("SELECT modality, id, flag, detail, source FROM flags").fetchall()
        [('image', 7, 'blurred', 'see above', 'basket')]
        """
        from emm1.curation.flags import add

        return add(cast("Store", self), items, flag, detail, source)
