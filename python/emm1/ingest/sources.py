"""Finds the published files under a folder, under the folder names of any publication."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emm1.checks import check_regular, is_pointer
from emm1.dataset import RANKS, SCHEMAS, SPLITS, Split
from emm1.errors import FileNotFoundError, SourceError
from emm1.ingest.content import as_it_is
from emm1.ingest.hub.columns import HubFile
from emm1.ingest.hub.files import DOWNLOAD, hub_files, published_name
from emm1.store.made_groups import note_of

# The published name of each split's folder first, then the name that older texts use.
FOLDERS: dict[Split, tuple[str, ...]] = {
    "100m": ("e-mm1_100m", "encord_phase_1_dataset"),
    "1m": ("e-mm1_1m", "encord_phase_2_dataset"),
    "eshot": ("eshot",),
}
# The order in which the files of items are read, and listed in provenance.
INFOS = ("text", "image", "video", "audio", "points")
AUDIO_CATEGORIES = "eshot/category_to_audio_ids.json"
POINT_CATEGORIES = "eshot/category_to_point_ids.json"
# Where paths begin that DuckDB opens and emm1 does not: every file is read for its checksum too.
REMOTE = ("hf:", "http:", "https:", "s3:", "gs:")
# Suffixes of a file that was compressed or converted in a way that is not read.
PACKED = (".bz2", ".xz", ".zip", ".parquet")


@dataclass(frozen=True)
class Source:
    """One published file.

    Attributes:
        name: its published name, such as ``e-mm1_100m/infos/audio.csv``.
        path: where it is.
        split: the split it belongs to.
        table: the table of that split that it fills (for JSON files: ``categories``); ``hub`` for the Hub's Parquet files, which
            fill all that CSV files do not.
        rank: of a group file, the rank its folder names.
        note: what to know about the file before it is read.
        hub: of one of the Hub's files, what its columns mean.
        beside: of one of the Hub's files, the CSV files of its split, with which it is compared.
    """

    name: str
    path: Path
    split: Split
    table: str
    rank: int | None = None
    note: str | None = None
    hub: HubFile | None = None
    beside: tuple[Source, ...] = ()

    @property
    def schema(self) -> str:
        """Schema of the store that holds the table."""
        return SCHEMAS[self.split]

    @property
    def has_columns(self) -> bool:
        """Whether it is a CSV file whose header names the columns of its table."""
        return self.table not in ("annotation_mapping", "categories", "hub")

    @property
    def ranks(self) -> tuple[int, ...]:
        """The ranks of its groups."""
        return self.hub.ranks if self.hub else () if self.rank is None else (self.rank,)


@dataclass(frozen=True)
class PublishedFiles:
    """The published files asked for.

    Attributes:
        sources: those that are there.
        missing: the names of those that are not, and whose rows no file of the Hub has; of a split of which there is nothing, its
            folder.
        packed: notes about missing files that exist compressed, or as Parquet.
    """

    sources: list[Source]
    missing: list[str]
    packed: list[str]


def find_sources(
    root: Path, splits: Sequence[Split] | None, ranks: Sequence[int] | None, groups: Path | None = None
) -> PublishedFiles:
    """Look for the published files under ``root``: the clone, its ``datasets`` folder, or a copy of it; or the Hub's files.

    Args:
        root: where to look.
        splits: the splits wanted; None for whatever is there.
        ranks: the ranks of the groups wanted; None for whatever is there.
        groups: a folder that holds nn_1, nn_2, … in place of those under ``root``.

    Raises:
        FileNotFoundError: no such folder, nothing published in it, or something asked for by name is absent.
        SourceError: some of the files are Git LFS pointers or empty.
    """
    base, hub = _base_folder(root)
    there: Sequence[int] = RANKS
    if groups is not None:
        there = _ranks_of(groups, splits)
    wanted = [source for split in splits or SPLITS for source in _published(base, split, ranks or there, groups)]
    for source in wanted:
        check_regular(source.path, SourceError)
    sources = [source for source in wanted if source.path.is_file()]
    sources += _of_hub(hub, sources, splits, ranks, own_groups=groups is not None)
    absent = [source for source in wanted if not source.path.is_file() and not _in_hub(source, sources)]
    packed = [note for source in absent if (note := _packed(source))]
    _refuse_absent(base, sources, splits, ranks, packed, groups)
    _refuse_pointers(sources)
    for source in sources:
        if source.path.stat().st_size == 0:
            raise SourceError(f"{source.path} is empty: download {source.name} again")
    there_of = {source.split for source in sources}
    # A split of which there is nothing is named once.
    missing = dict.fromkeys(source.name if source.split in there_of else FOLDERS[source.split][0] for source in absent)
    return PublishedFiles(sources, list(missing), packed)


def _of_hub(
    files: Iterable[HubFile],
    beside: Sequence[Source],
    splits: Sequence[Split] | None,
    ranks: Sequence[int] | None,
    *,
    own_groups: bool,
) -> list[Source]:
    """The Hub's files of the splits and ranks wanted, next to the CSV files; groups of one's own replace theirs."""
    found = []
    for file in files:
        wanted = () if own_groups else tuple(rank for rank in file.ranks if ranks is None or rank in ranks)
        if (splits is not None and file.split not in splits) or (file.ranks and not wanted and not own_groups):
            continue
        of_split = tuple(source for source in beside if source.split == file.split)
        hub = replace(file, ranks=wanted)
        found.append(Source(published_name(file), file.path, file.split, "hub", hub=hub, beside=of_split))
    return found


def _in_hub(source: Source, sources: Iterable[Source]) -> bool:
    """Whether the rows of a CSV file that is not there are in the Hub's files."""
    hub = [other.hub for other in sources if other.hub and other.split == source.split]
    return bool(hub) and (source.rank is None or any(source.rank in file.ranks for file in hub))


def _ranks_of(groups: Path, splits: Sequence[Split] | None) -> list[int]:
    """The ranks in a folder of groups.

    Raises:
        FileNotFoundError: there are none.
        SourceError: groups are of a split that was not asked for.
    """
    if splits is not None and "100m" not in splits:
        raise SourceError(f"the groups in {groups} are of the split 100m, which was not asked for")
    there = [rank for rank in RANKS if _group_file(groups, rank).exists()]
    if not there:
        what = "has no nn_1/data_groups.csv" if groups.is_dir() else "is no folder"
        raise FileNotFoundError(f"{groups} {what}: name the folder that `emm1 groups make` wrote")
    return there


def _group_file(folder: Path, rank: int) -> Path:
    return as_it_is(folder / f"nn_{rank}" / "data_groups.csv")


def _packed(source: Source) -> str | None:
    """A note about a missing file that exists compressed, or as Parquet; None if it does not."""
    beside = [source.path.with_name(source.path.name + suffix) for suffix in PACKED]
    beside.append(source.path.with_suffix(".parquet"))
    found = next((path for path in beside if path.is_file()), None)
    if found is None:
        return None
    what = "write it as CSV or JSON" if found.suffix == ".parquet" else "decompress it"
    return f"{source.name} is not there, but {found} is: {what} beside it, then build again"


def _base_folder(root: Path) -> tuple[Path, list[HubFile]]:
    """The folder that has the folders of the splits, and the Hub's files.

    Raises:
        FileNotFoundError: there are neither.
    """
    if root.parts[:1] and root.parts[0] in REMOTE:
        address = root.as_posix().replace(":/", "://", 1)  # a Path has one slash
        raise FileNotFoundError(f"{address} is not on this machine: get it with `{DOWNLOAD}`, then build from DIR")
    if not root.is_dir() and not (root.is_file() and root.suffix == ".parquet"):
        what = "is not a folder" if root.exists() else "does not exist"
        raise FileNotFoundError(
            f"{root} {what}: name the folder that holds e-mm1_100m, e-mm1_1m or eshot (the clone or its datasets folder), or "
            "the Hub's Parquet files"
        )
    hub, others = hub_files(root)
    names = [name for folders in FOLDERS.values() for name in folders]
    for base in (root / "datasets", root):
        if any((base / name).is_dir() for name in names):
            return base, hub
    if hub:
        return root, hub
    hint = ""
    if root.name in names:
        hint = f" (did you mean its parent, {root.parent}?)"
    elif others:
        hint = f"; {others[0]}, which are not those of the Hub's Parquet files"
    raise FileNotFoundError(
        f"{root} holds none of the folders {', '.join(names)}, nor does a datasets folder in it, and no Parquet files of the "
        f"Hub{hint}"
    )


def _published(base: Path, split: Split, ranks: Iterable[int], groups: Path | None) -> Iterable[Source]:
    folders = FOLDERS[split]
    folder = next((base / name for name in folders if (base / name).is_dir()), base / folders[0])

    def source(relative: str, table: str, rank: int | None = None) -> Source:
        return Source(f"{folders[0]}/{relative}", as_it_is(folder / relative), split, table, rank)

    if split == "eshot":
        yield source("eshot_audio_info.csv", "audio")
        yield source("eshot_points_info.csv", "points")
        yield source(AUDIO_CATEGORIES.partition("/")[2], "categories")
        yield source(POINT_CATEGORIES.partition("/")[2], "categories")
        return
    for modality in INFOS:
        yield source(f"infos/{modality}.csv", modality)
    if split == "100m":
        note = None if groups is None else note_of(groups)
        for rank in ranks:
            published = source(f"nn_{rank}/data_groups.csv", "groups", rank)
            path = published.path if groups is None else _group_file(groups, rank)
            yield replace(published, path=path, note=note)
    else:
        yield source("annotation_mapping.csv", "annotation_mapping")
        yield source("triplets.csv", "triplets")


def _refuse_absent(
    base: Path,
    sources: list[Source],
    splits: Sequence[Split] | None,
    ranks: Sequence[int] | None,
    packed: list[str],
    groups: Path | None,
) -> None:
    hint = f"; {packed[0]}" if packed else ""
    for split in splits or ():
        if not any(source.split == split for source in sources):
            raise FileNotFoundError(
                f"{base / FOLDERS[split][0]} is not there, but the split {split} was asked for{hint}"
            )
    if ranks and (splits is None or "100m" in splits):
        there = {rank for source in sources for rank in source.ranks}
        absent = [str(rank) for rank in ranks if rank not in there]
        if absent:
            lacking = "no such groups" if base.is_file() else f"no nn_{absent[0]}/data_groups.csv"
            raise FileNotFoundError(
                f"{groups or (base if base.is_file() else base / FOLDERS['100m'][0])} has {lacking}, but the ranks "
                f"{', '.join(absent)} were asked for{hint}"
            )
    if not sources:
        raise FileNotFoundError(f"{base} holds none of the published files{hint}")


def _refuse_pointers(sources: list[Source]) -> None:
    pointers = [source for source in sources if is_pointer(source.path)]
    if not pointers:
        return
    clone = _clone_of(pointers[0].path)
    paths = [source.path.resolve() for source in pointers]
    include = ",".join(path.relative_to(clone).as_posix() for path in paths if path.is_relative_to(clone))
    listing = "".join(f"\n  {source.path}" for source in pointers)
    without = _without(sources, pointers)
    raise SourceError(
        f"{len(pointers)} of the {len(sources)} files are Git LFS pointers, not the files themselves:{listing}\n"
        f"Fetch just these:\n"
        f"  cd {shlex.quote(str(clone))}\n"
        f'  git lfs pull --include="{include}"' + ("\nor build without them" if without else ""),
        **without,
    )


def _without(sources: list[Source], pointers: list[Source]) -> dict[str, object]:
    """The arguments for a build from the splits and ranks that were fetched completely."""
    lacking = {source.split for source in pointers if source.rank is None}
    ranks = [source.rank for source in sources if source.rank and source not in pointers]
    splits = [split for split in SPLITS if split not in lacking and any(s.split == split for s in sources)]
    if not ranks and "100m" in splits:
        splits.remove("100m")
    if not splits:
        return {}
    some = "100m" in splits and any(source.rank for source in pointers)
    return {"splits": splits, **({"ranks": ranks} if some else {})}


def _clone_of(path: Path) -> Path:
    """The git work tree that contains a file; without one, the folder above ``datasets`` or the split."""
    folders = path.resolve().parents
    for folder in folders:
        if (folder / ".git").exists():
            return folder
    names = {name for group in FOLDERS.values() for name in group}
    split = next((folder for folder in folders if folder.name in names), None)
    if split is None:  # groups of another folder
        return folders[1]
    return split.parent.parent if split.parent.name == "datasets" else split.parent
