"""The methods of a store that write it for other programs; what they do is in `emm1.export` and `emm1.distributed`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, cast

import emm1
from emm1.checks import PathLike

if TYPE_CHECKING:
    from emm1.store.store import Store


class Exports:
    """Part of `Store`."""

    def export(
        self,
        query: str,
        to: Literal["parquet", "arrow", "csv", "jsonl", "webdataset", "hub"],
        output: PathLike,
        *,
        partition_by: str | None = None,
        shard_size: int | None = None,
        seed: int = 0,
        incomplete: Literal["drop", "keep"] = "drop",
        group_captions: bool = False,
        exclude: Sequence[str] = (),
        available: bool = False,
        memory_limit: str = "2GB",
        progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
    ) -> emm1.ExportReport:
        """Write the rows of a query as files for other programs, in a new folder, which appears when it is complete.

        The files are in ``data``, numbered. Beside it are a dataset card (``README.md``), Croissant metadata (``croissant.json``),
        ``ATTRIBUTION`` for the items that the rows name (no legal advice), if it is known which these are, and ``manifest.json``, which has
        the query, the columns, and rows, size and SHA-256 of each file. Rows are read and written a hundred thousand at a time, so the rest of the memory is that of DuckDB's query, which spills to the disk. Columns and rows of the groups are read in ranges of captions.

        Args:
            query: one query, or the name of a table or view, such as ``groups`` or ``e_mm1_100m.text``.
            to: ``parquet``, ``arrow`` (IPC files), ``csv`` or ``jsonl``. ENUMs become texts. In CSV an empty field is NULL, and
                nested values are as DuckDB shows them. ``webdataset`` writes tars of samples: ``KEY.image.jpg``,
                ``KEY.audio.mp4``, ``KEY.video.mp4``, ``KEY.points.xyz.npy`` and ``KEY.points.rgb.npy`` (float32, (points, 3)), and the
                row in ``KEY.json``, for each column of paths that the query has. ``hub`` joins in what the dataset's
                edition on the Hub has, in its columns and files: the rows must have the published columns of the groups or triplets.
            output: the folder; it may exist if it is empty.
            partition_by: a column; for each of its values, at most 256, there is a folder ``COLUMN=VALUE``, as Hive has them,
                and the files do not have the column.
            shard_size: rows of a file; by default a million, of a tar a thousand, and with ``hub`` all of a rank or pair.
            seed: decides about the order of the samples.
            incomplete: ``drop`` leaves out the rows of which a file is not there, since readers of WebDataset fail where
                members differ; ``keep`` keeps them.
            group_captions: shuffle captions, and let all rows of a caption stand together, in one tar.
            exclude: flags such as ``duplicate``: rows that name an item with one of them are left out.
            available: leave out rows that name an item whose media file was not found well by `check_media`.
            memory_limit: what all of it may use; DuckDB gets half.
            progress: called from time to time with what is being done, how many rows are written, and 0.

        Returns:
            The files and how many rows they have.

        Raises:
            emm1.errors.StoreError: the query is none or fails, the format cannot hold a column, an argument is wrong.
            emm1.errors.EmbeddingError: the folder is there already, or the size is no positive number.
            emm1.errors.WriteError: the files cannot be written; then there are none. A ``webdataset`` goes on where it was when it is started again with
                the same arguments.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", ranks=[1, 2])
        >>> report = store.export("group_captions", "parquet", folder / "groups", partition_by="nn_index")
        >>> [file.path for file in report.files]
        ['data/nn_index=1/part-00000.parquet', 'data/nn_index=2/part-00000.parquet']
        """
        from emm1.export.run import export_rows

        return export_rows(
            cast("Store", self),
            query,
            to,
            output,
            partition_by=partition_by,
            shard_size=shard_size,
            seed=seed,
            incomplete=incomplete,
            group_captions=group_captions,
            exclude=exclude,
            available=available,
            memory_limit=memory_limit,
            progress=progress,
        )

    def lake(
        self,
        output: PathLike,
        *,
        memory_limit: str = "2GB",
        progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
    ) -> emm1.LakeReport:
        """Write the tables as Parquet for engines such as Spark, in a new folder, which appears when it is complete.

        Each table is a folder ``SCHEMA/TABLE``, and each rank of the groups a folder ``nn_index=N`` in that of its table. Rows are sorted by id, so that
        readers skip row groups, which have 122,880 rows, and ENUMs are texts. ``views.spark.sql`` has the tables and views of the store as statements for Spark SQL.
        What users made is not in it, nor are the registered embeddings and the index of captions.

        Args:
            output: the folder; it may exist if it is empty.
            memory_limit: what all of it may use; DuckDB gets half.
            progress: called from time to time with what is being done, how many rows are written, and how many there are.

        Returns:
            The files of each table.

        Raises:
            emm1.errors.StoreError: there is too little memory, or an argument is wrong.
            emm1.errors.EmbeddingError: the folder is there already.
            emm1.errors.WriteError: the files cannot be written; then there are none.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", ranks=[1, 2])
        >>> report = store.lake(folder / "lake")
        >>> [file.path for file in report.tables["e_mm1_100m.groups"]]
        ['e_mm1_100m/groups/nn_index=1/part-00000.parquet', 'e_mm1_100m/groups/nn_index=2/part-00000.parquet']
        """
        from emm1.distributed.lake import write_lake

        return write_lake(cast("Store", self), output, memory_limit=memory_limit, progress=progress)
