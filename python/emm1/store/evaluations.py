"""The methods of a store that evaluate models; what they do is in `emm1.evaluation`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import emm1
from emm1.checks import PathLike
from emm1.embeddings.file import Metric

if TYPE_CHECKING:
    from emm1.store.store import Store

Models = Mapping[str, tuple[PathLike, PathLike]]

Progress = Callable[[int, int], object]


def _silent(_done: int, _all: int) -> None:
    pass


class Evaluations:
    """Part of `Store`."""

    @overload
    def eshot(
        self, audio: PathLike, points: PathLike, *, exclude: Sequence[str] = (), available: bool = False
    ) -> emm1.EShotReport: ...
    @overload
    def eshot(
        self, *, models: Models, baseline: str | None = None, exclude: Sequence[str] = (), available: bool = False
    ) -> emm1.EShotComparison: ...
    def eshot(
        self,
        audio: PathLike | None = None,
        points: PathLike | None = None,
        *,
        models: Models | None = None,
        baseline: str | None = None,
        exclude: Sequence[str] = (),
        available: bool = False,
    ) -> emm1.EShotReport | emm1.EShotComparison:
        """The EShot zero-shot evaluation: the third published script, of one model, or of several to compare them.

        Args:
            audio: the registered name or the file of the audio embeddings. In a file without ids, row i is the i-th row of
                ``eshot_audio_info.csv``.
            points: the same for the point clouds.
            models: instead of these, the two of each model, by its name: ``{"new": (audio, points), …}``.
            baseline: the model that the others are compared with; the first unless given.
            exclude: flags such as ``duplicate``: samples with one of them count as not there.
            available: likewise samples whose media file was not checked and found well each time.

        Raises:
            emm1.errors.Error: a file that does not fit, an unknown name, a store without EShot, or models without a sample that all have.
        """
        from emm1.evaluation.eshot.samples import eshot_of

        return eshot_of(cast("Store", self), audio, points, models, baseline, exclude, available)

    def ratings(
        self,
        embeddings: Mapping[str, PathLike],
        *,
        resamples: int = 1000,
        exclude: Sequence[str] = (),
        available: bool = False,
    ) -> emm1.RatingsReport:
        """How well a model agrees with people: its similarities compared with the ratings of the triplets of E-MM1:1M.

        Args:
            embeddings: a registered name or a file for each modality, as in ``{"image": "image_1m", "audio": "audio_1m"}``;
                ``text`` are the captions. Pairs of modalities that lack embeddings are left out and counted.
            resamples: resamples for the intervals; 0 for none, which is much faster.
            exclude: flags such as ``duplicate``: triplets with an item that has one of them do not count.
            available: likewise triplets with an item whose media file was not checked and found well each time.

        Raises:
            emm1.errors.Error: no triplets, an unknown modality or name, or embeddings of another split or modality.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m"])
        >>> files = {modality: folder / f"sample/embeddings/1m/{modality}.npy" for modality in ("image", "audio", "text")}
        >>> report = store.ratings(files, resamples=0)
        >>> report.to_frame().select("paired_modality", "annotated_modality").rows()
        [('audio', 'image'), ('image', 'audio')]
        """
        from emm1.evaluation.ratings.report import rate

        return rate(cast("Store", self), embeddings, resamples, exclude, available)

    def verify_groups(
        self,
        embeddings: Mapping[str, PathLike],
        nn_index: int | Iterable[int] | None = None,
        *,
        captions: int | None = 10_000,
        seed: int = 0,
        progress: Progress = _silent,
    ) -> emm1.GroupsAgreement:
        """How far a model gives the groups of the store: by modality and rank, with ties and missing vectors told apart.

        Args:
            embeddings: a registered name or a file for each modality, ``text`` and at least one other.
            nn_index: the rank, or ranks, from 1 to 16; None for all.
            captions: how many captions to look at, drawn at random; None for all.
            seed: another seed draws other captions.
            progress: called from time to time with the number of searches done, and of all.

        Raises:
            emm1.errors.Error: no groups, an unknown name, or embeddings of another split or modality.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", ranks=[1])
        >>> files = {modality: folder / f"sample/embeddings/{modality}.npy" for modality in ("text", "audio")}
        >>> store.verify_groups(files, captions=100).to_frame().select("modality", "nn_index", "exact").rows()
        [('audio', 1, 100)]
        """
        from emm1.evaluation.groups import verify

        return verify(cast("Store", self), embeddings, nn_index, captions=captions, seed=seed, progress=progress)

    def make_groups(
        self,
        output: PathLike,
        embeddings: Mapping[str, PathLike],
        k: int = 16,
        *,
        exclude: Sequence[str] = (),
        available: bool = False,
        progress: Progress = _silent,
    ) -> int:
        """Write groups by a model of one's own, in the published shape; `emm1.build` takes the folder as ``groups``.

        An interrupted run continues where it stopped.

        Args:
            output: the folder to write; it must not exist.
            embeddings: a registered name or a file for each modality, ``text`` and at least one other.
            k: how many groups for each caption.
            exclude: flags such as ``duplicate``: a caption that has one of them has no groups, and an item that has one is in none.
            available: likewise for items whose media file was not checked and found well each time.
            progress: called from time to time with the number of captions done, and of all.

        Returns:
            How many captions have groups now.

        Raises:
            emm1.errors.Error: an unknown name, embeddings of another split or modality, or files that cannot be written.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", ranks=[1])
        >>> files = {modality: folder / f"sample/embeddings/{modality}.npy" for modality in ("text", "audio")}
        >>> store.make_groups(folder / "own", files, k=2)
        6706
        """
        from emm1.evaluation.groups import make

        return make(cast("Store", self), output, embeddings, k, exclude=exclude, available=available, progress=progress)

    def score_groups(
        self,
        output: PathLike,
        embeddings: Mapping[str, PathLike],
        nn_index: int | Iterable[int] | None = None,
        *,
        exclude: Sequence[str] = (),
        available: bool = False,
        progress: Progress = _silent,
    ) -> int:
        """Write the cosine of every two items of each group to a Parquet file, to choose training data by.

        An interrupted run continues where it stopped.

        Args:
            output: the file to write; it must not exist.
            embeddings: a registered name or a file for each modality, at least two; ``text`` are the captions.
            nn_index: the rank, or ranks, from 1 to 16; None for all.
            exclude: flags such as ``duplicate``: groups with an item that has one of them are left out.
            available: likewise groups with an item whose media file was not checked and found well each time.
            progress: called from time to time with the number of groups done, and of all.

        Returns:
            How many groups were scored.

        Raises:
            emm1.errors.Error: no groups, an unknown name, embeddings of another split or modality, or a file that cannot be written.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", ranks=[1])
        >>> files = {modality: folder / f"sample/embeddings/{modality}.npy" for modality in ("text", "audio")}
        >>> store.score_groups(folder / "scores.parquet", files)
        6706
        >>> store.sql(f"FROM '{folder}/scores.parquet'").columns
        ['encord_text_id', 'nn_index', 'text_audio']
        """
        from emm1.evaluation.groups import score

        return score(
            cast("Store", self),
            embeddings,
            output,
            nn_index,
            exclude=exclude,
            available=available,
            progress=progress,
        )

    def evaluate(
        self,
        models: Sequence[str],
        baseline: str | None = None,
        *,
        resamples: int = 1000,
        exclude: Sequence[str] = (),
        available: bool = False,
        progress: Callable[[str, int, int], object] = lambda _what, _done, _all: None,
    ) -> emm1.ModelsReport:
        """Everything that the embeddings of models allow to be evaluated: retrieval, ratings and EShot, side by side.

        A model is what embeddings are registered with: ``add_embeddings(…, model="new")``.

        Args:
            models: the names of the models.
            baseline: the model that the others are compared with, which need not be among `models`; of several models the first
                unless given.
            resamples: resamples for the bootstrap intervals of retrieval and ratings; 0 for none, which is much faster.
            exclude: flags such as ``duplicate``: items with one of them count as not there.
            available: likewise items whose media file was not checked and found well each time.
            progress: called from time to time with what is ranked, how many right answers are done, and of how many.

        Raises:
            emm1.errors.Error: an unknown model, or embeddings that do not fit the store or each other.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m", "eshot"])
        >>> for modality in ("audio", "points"):
        ...     file = folder / f"sample/embeddings/eshot_{modality}.npy"
        ...     store.add_embeddings(f"eshot_{modality}", file, dataset="eshot", modality=modality, model="ours")
        >>> report = store.evaluate(["ours"])
        >>> report.to_frame().filter(metric="top1_accuracy").select("evaluation", "query", "base", "samples").rows()
        [('eshot', 'audio', 'points', 1777), ('eshot', 'points', 'audio', 1619)]
        >>> for reason in report.left_out:
        ...     print(reason)
        retrieval, ours: no embeddings of 1m text and another modality that has captions
        ratings, ours: no embeddings of two modalities that were rated together
        """
        from emm1.evaluation.models.report import evaluate

        return evaluate(cast("Store", self), models, baseline, resamples, progress, exclude, available)

    def retrieval(
        self,
        queries: PathLike,
        base: PathLike,
        pairs: Any = "captions",
        k: Sequence[int] | int = (1, 5, 10),
        *,
        where: str | None = None,
        metrics: Sequence[str] | str | None = None,
        metric: Metric | None = None,
        missing: str = "exclude",
        exclude_self: bool = False,
        resamples: int = 1000,
        sample: int | None = None,
        exclude: Sequence[str] = (),
        available: bool = False,
        parts: PathLike | None = None,
        progress: Progress = _silent,
    ) -> emm1.RetrievalReport:
        """How high the right answers of queries rank among all vectors of a gallery: one direction, exactly, whatever the ties.

        Args:
            queries: the registered name or the file of the vectors to search by.
            base: that of the vectors to search: the gallery is all its rows. It may be the same; nothing is left out unless asked.
            pairs: the right answers. ``captions``: a caption and the paired item of its triplets (text and another modality of 1m,
                either way). ``groups``: neighbours in the groups of 100m, which measures agreement with the model that made them.
                ``triplets``: what people rated, with grades (text or a paired item to annotated items of 1m). ``same-id``: the row
                with the same id. Or a file or a frame with the columns query_id, id and optionally grade (1 if not given, 0 is not
                right).
            k: the cut-offs of the measures that have one.
            where: an SQL condition on the info rows of `base`; only items that satisfy it are searched, and right.
            metrics: the measures that the text shows, such as ``recall@5`` or ``recall``; ``all`` for all; by default six.
            metric: ``cosine``, ``dot`` or ``l2``; by default the registered one of `base`.
            missing: ``exclude`` leaves out and counts queries without a vector, and counts right answers without one as not found;
                ``fail`` makes both an error.
            exclude_self: leave out the row of the gallery that has the query's own id.
            resamples: resamples for the 95 % intervals; 0 for none.
            sample: how many of the queries to ask, drawn at random; None for all. The groups of 100M have millions of queries.
            exclude: flags such as ``duplicate``: items with one of them are no queries, no right answers and no rows of the gallery, and
                triplets with one do not count.
            available: likewise items whose media file was not checked and found well each time.
            parts: the folder with what all shards ranked (`emm1.evaluation.retrieval.run.retrieve_shard`); then nothing is
                ranked now.
            progress: called from time to time with the number of right answers that are ranked, and of all.

        Raises:
            emm1.errors.Error: pairs that do not fit these modalities or are not as described, an unknown name, no query that counts, or NaN
                or an infinity in a vector.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m"])
        >>> for modality in ("text", "audio"):
        ...     file = folder / f"sample/embeddings/1m/{modality}.npy"
        ...     store.add_embeddings(modality, file, dataset="1m", modality=modality)
        >>> report = store.retrieval("text", "audio", resamples=0)
        >>> report.to_frame().select("metric", "queries", "gallery").row(0)
        ('hit@1', 211, 121)
        """
        from emm1.evaluation.retrieval.run import Options, retrieve

        options = Options(k, metrics, metric, missing, exclude_self, resamples, sample, exclude, available)
        return retrieve(cast("Store", self), queries, base, pairs, where, options, progress, parts)

    def zero_shot(
        self,
        samples: PathLike,
        classes: PathLike,
        labels: Any,
        *,
        class_labels: Any = None,
        class_vectors: Literal["means", "prompts"] | None = None,
        exclude: Sequence[str] = (),
        available: bool = False,
    ) -> emm1.ZeroShotReport:
        """Classify samples by the class whose vector is the most similar by cosine; `emm1.zero_shot` does it with no store.

        Args:
            samples: the registered name or the file of the samples' embeddings.
            classes: the same for what class vectors are made from. If both are one file, or are registered for the same split and
                modality, each sample is left out of the means: nearest class mean.
            labels: the classes of the samples: a file (``.csv``, ``.tsv``, ``.parquet``, ``.json``, ``.jsonl``) or SQL with the columns id
                and label, or what `emm1.zero_shot` takes. An id with several labels has several rows.
            class_labels: the classes of the rows of `classes`, likewise; by default those of the samples if the items are the same, and each
                row is a class by itself if the labels are ids of these rows.
            class_vectors: ``means`` averages the vectors of a class as they are, as EShot does; ``prompts`` scales each to unit
                length before, as CLIP does, and is the default if `classes` are registered texts.
            exclude: flags such as ``duplicate``: items with one of them count as not there.
            available: likewise items whose media file was not checked and found well each time.

        Raises:
            emm1.errors.Error: an unknown name, labels that cannot be read, or what `emm1.zero_shot` refuses.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["eshot"])
        >>> for modality in ("audio", "points"):
        ...     file = folder / f"sample/embeddings/eshot_{modality}.npy"
        ...     store.add_embeddings(modality, file, dataset="eshot", modality=modality)
        >>> labels = "SELECT eshot_id AS id, category AS label FROM eshot.categories WHERE modality = '{}'"
        >>> report = store.zero_shot("audio", "points", labels.format("audio"), class_labels=labels.format("points"))
        >>> direction = store.eshot("audio", "points").overall.filter(direction="audio_to_points")
        >>> report.overall["top1_correct"].item() == direction["top1_correct"].item()
        True
        """
        from emm1.evaluation.zero_shot.in_store import zero_shot_of

        return zero_shot_of(
            cast("Store", self), samples, classes, labels, class_labels, class_vectors, exclude, available
        )
