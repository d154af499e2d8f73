"""The methods of a store that find out what is wrong with its items, or forbidden; what they do is in `emm1.curation`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import emm1
from emm1.checks import PathLike
from emm1.dataset import FILE_MODALITIES, SPLITS, Split
from emm1.work import Engine

if TYPE_CHECKING:
    from emm1.store.store import Store


class Findings:
    """Part of `Store`."""

    def duplicates(
        self,
        name: str,
        other: str | None = None,
        *,
        threshold: float,
        most_equal: int = 10_000,
        output: PathLike | None = None,
        sweep: bool = False,
        flag: bool = True,
        merge: bool = False,
        engine: Engine | None = None,
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
            most_equal: how many rows may have the same vector; more are refused before the search, because n of them are
                n (n - 1) / 2 pairs.
            output: the Parquet file of the pairs to write (a, b, score); it must not exist. None keeps them in memory.
            sweep: also count the pairs of stricter thresholds, and show some of each.
            flag: note those dropped in the table ``flags`` as ``duplicate``, in place of what an earlier run with the same
                names noted. A store that is open for reading only needs False.
            merge: whether shards searched (`emm1.curation.duplicates.run.find_shard`): then their parts are joined, and none may be missing.
            engine: what searches; this process by default. The pairs do not depend on it.
            progress: called from time to time with what is being done, how much of it is done, and how much there is.

        Returns:
            How many pairs there are, the items with very many partners, and the items to drop, each with the item to keep.

        Raises:
            emm1.errors.EmbeddingError: an unknown name, vectors of different dimensions or metrics, a threshold that the metric
                does not have, NaN or an infinity in a row, too many equal vectors; the output exists, cannot be written, or has parts of another run.
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
            most_equal=most_equal,
            merge=merge,
            engine=engine,
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
