"""The methods of a store that curate it; what they do is in `emm1.curation`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import duckdb

import emm1
from emm1.checks import PathLike
from emm1.dataset import FILE_MODALITIES, SPLITS, Split
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

    def duplicates(
        self,
        name: str,
        other: str | None = None,
        *,
        threshold: float,
        output: PathLike | None = None,
        sweep: bool = False,
        flag: bool = True,
        progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
    ) -> emm1.DuplicatesReport:
        """Find every pair of items whose vectors are alike, within registered embeddings or across two, and say which to keep.

        The pairs are exact: all whose score by the registered metric is at least the threshold, however many partners an item
        has. Zero vectors, which have no direction, are left out where cosines are compared. Items are then taken in order of
        preference (EShot before 1M before 100M, and by ascending id), and an item is dropped only if an item that is kept
        is its partner: pairs decide, never chains. Finished parts are kept in ``OUTPUT.parts`` until all is done, so an
        interrupted run continues where it stopped, and writes the same bytes.

        Args:
            name: the registered embeddings of the items `a`.
            other: those of the items `b`; None compares the first with themselves, and then a is less than b.
            threshold: the lowest score of a pair; for l2, the greatest distance.
            output: the Parquet file of the pairs to write (a, b, score); it must not exist. None keeps them in memory.
            sweep: also count the pairs of stricter thresholds, and show some of each.
            flag: note those dropped in the table ``flags`` as ``duplicate``, in place of what an earlier run with the same
                names noted. A store that is open for reading only needs False.
            progress: called from time to time with what is being done, how much of it is done, and how much there is.

        Returns:
            How many pairs there are, the items with very many partners, and the items to drop, each with the item to keep.

        Raises:
            emm1.errors.EmbeddingError: an unknown name, vectors of different dimensions or metrics, a threshold that the metric
                does not have, NaN or an infinity in a row; the output exists, cannot be written, or has parts of another run.
            emm1.errors.StoreError: the store is open for reading only, and items are to be flagged.

        >>> import emm1, numpy as np
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> np.save(folder / "three.npy", np.array([[1, 0], [0, 1], [2, 0]], dtype="float32"))
        >>> store.add_embeddings("three", folder / "three.npy", dataset="100m", modality="image", ids=[0, 1, 2])
        >>> report = store.duplicates("three", threshold=0.9)
        >>> report.to_frame().rows()
        [(0, 2, 1.0)]
        >>> print(report)
        duplicates within three, 3 vectors: 1 pair with a cosine of at least 0.9
        to drop: 1 item, each a partner of a kept item; 1 flagged duplicate
        >>> store.sql("SELECT id, flag, detail, source FROM flags").fetchall()
        [(2, 'duplicate', 'kept: image 0 of 100m, cosine 1.0', 'duplicates three')]
        """
        from emm1.curation.duplicates.run import find

        return find(
            cast("Store", self),
            name,
            other,
            threshold=threshold,
            output=output,
            sweep=sweep,
            flag=flag,
            progress=progress,
        )

    def leakage(
        self,
        against: PathLike | Any | None = None,
        *,
        embeddings: Sequence[str | tuple[str, str]] = (),
        threshold: float = 0.95,
        flag: bool = True,
        progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
    ) -> emm1.LeakageReport:
        """Find what items for training have in common with items for evaluation: files, YouTube clips, objects, near vectors.

        The sides are ``100m`` and ``1m`` for training, and ``validation``, ``test`` (of the table ``splits``) and ``eshot`` for
        evaluation; or, if a list is given, that list. Every pair of sides is reported. Items for training that overlap with
        evaluation leak, and so do items of validation and test that are in EShot or in the list. They are flagged ``leak`` in the table
        ``flags``, by the source ``leakage`` or ``leakage LIST``, in place of what that source noted before.

        Args:
            against: a list of items of other datasets: a file (.csv, .tsv, .txt, .json, .jsonl, .ndjson or .parquet), or a frame of
                any library. Its columns are recognised by name: YouTube ids with starts and ends in seconds, names of files,
                Objaverse's ids, or dataset, modality and id.
            embeddings: registered embeddings whose vectors are compared too: pairs of names, or a name for one with itself.
            threshold: the lowest cosine of near vectors.
            flag: whether to write flags.
            progress: called from time to time with what is being done, how much of it is done, and how much there is.

        Returns:
            How many overlaps there are of each kind, the pairs, and the items for training that are clean.

        Raises:
            emm1.errors.Error: a list that cannot be read or has nothing that is known, an unknown name, embeddings of different
                dimensions, a threshold that is no cosine, or a store that is open for reading only, unless ``flag=False``.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> test = store.sql("SELECT youtube_id, start_time FROM e_mm1_100m.audio WHERE encord_audio_id = 7").pl()
        >>> report = store.leakage(test)
        >>> report.pairs.select("side_a", "modality_a", "id_a", "side_b", "id_b", "kind").rows()
        [('100m', 'audio', 7, 'list', 1, 'youtube'), ('1m', 'audio', 27, 'list', 1, 'youtube')]
        >>> store.sql("SELECT dataset, id, flag, source FROM flags ORDER BY ALL").fetchall()
        [('100m', 7, 'leak', 'leakage list'), ('1m', 27, 'leak', 'leakage list')]
        """
        from emm1.curation.leakage.run import find_leakage

        return find_leakage(cast("Store", self), against, embeddings, threshold, flag=flag, progress=progress)

    def licenses(self, where: str | None = None, *, flag: bool = True) -> emm1.LicenseReport:
        """Say what the licence texts of items allow and oblige to, as reviewed by hand. No legal advice.

        A text is looked up as it is: what nobody has reviewed is ``LicenseRef-unreviewed``, and nothing is said about it. A licence
        of annotations or of a collection, as most are, permits nothing about the media.

        Args:
            where: a condition on the columns of the view ``assets``; None: all items.
            flag: also write the table ``licenses`` and flag items ``noncommercial`` or ``unreviewed-license``: those of the whole
                store, whatever `where` says. False for a store that is open for reading only.

        Returns:
            How many items have each licence, and what it says of them.

        Raises:
            emm1.errors.StoreError: the condition does not fit, the store is open for reading only, or has a table ``licenses`` of
                the user's own.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> report = store.licenses("source_dataset = 'AudioCaps' AND dataset_license = 'MIT'")
        >>> report.to_frame().select("modality", "spdx", "covers", "commercial_use").unique().sort("modality").rows()
        [('audio', 'MIT', 'annotations', None), ('text', 'MIT', 'captions', True)]
        """
        from emm1.curation.licenses.run import licenses_of

        return licenses_of(cast("Store", self), where, flag=flag)

    def group_licenses(self, where: str | None = None) -> emm1.GroupLicenseReport:
        """Say what the licences of all items of a group allow and oblige to together. No legal advice.

        A permission is given if each item's licence gives it, refused if one refuses it, and else NULL. An obligation holds if one
        has it, does not if none can have it, and else is NULL.

        Args:
            where: a condition on the columns of the view ``group_captions``; None: all groups.

        Returns:
            How many groups have each combination of terms.

        Raises:
            emm1.errors.StoreError: the condition does not fit.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> store.group_licenses("nn_index = 1").to_frame().columns
        ['commercial_use', 'redistribution', 'attribution', 'share_alike', 'groups']
        """
        from emm1.curation.licenses.run import group_licenses_of

        return group_licenses_of(cast("Store", self), where)

    def check_media(
        self,
        root: PathLike | None = None,
        *,
        splits: Sequence[Split] = SPLITS,
        modalities: Sequence[str] = FILE_MODALITIES,
        again: bool = False,
        threads: int | None = None,
        progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
    ) -> emm1.MediaReport:
        """Find out which media files can be used, and write that to the table ``media_status``.

        The status is ``ok``, ``missing``, ``unreadable`` (no permission, a folder), ``empty``, ``html`` (a page in its place),
        ``wrong_kind``, ``truncated``, ``damaged``, ``slow`` (its decoder did not end), ``silent`` (audio without sound),
        ``still`` (a video in which nothing moves) or ``too_short`` (less than 0.9 of the clip's seconds, and at least one second
        is missing). Images and audio are decoded whole, videos at five places and from their last key frame to their end, in
        processes of their own. Without the extra ``media`` only sizes and first bytes are looked at, and point clouds. What is
        there but not ok is flagged ``broken``.

        What was found is written from time to time. A file that was checked before is checked again only if it changed, came
        or went since, so an interrupted run goes on where it was.

        Args:
            root: the media folder; by default the store's. Audio is also looked for in ``video/``, point clouds in
                ``point-clouds/``.
            splits: whose files.
            modalities: which files.
            again: check everything again, as is right for another folder than before.
            threads: how many files are decoded at a time; by default as many as there are processors.
            progress: called from time to time with what is being done, how many files were looked at, and how many there are.

        Returns:
            How many files have which status.

        Raises:
            emm1.errors.FileNotFoundError: there is no such folder.
            emm1.errors.StoreError: the store is read-only.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["eshot"])
        >>> report = store.check_media(folder / "sample")
        >>> report.to_frame().rows()
        [('eshot', 'audio', 'missing', 1777), ('eshot', 'points', 'missing', 1619)]
        """
        from emm1.curation.media_status import check_media

        folder = None if root is None else Path(root)
        return check_media(
            cast("Store", self), folder, splits, modalities, again=again, threads=threads, progress=progress
        )
