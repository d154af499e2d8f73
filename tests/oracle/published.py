"""The logic of the dataset README's first two scripts, as published; only types that Polars would guess are declared.

Ids are cast after everything is read as text: a file_id column with numbers first and URLs later trips the guess.
"""

from itertools import permutations
from pathlib import Path

import polars as pl

SEP = str(Path("/"))


def read(path: Path) -> pl.DataFrame:
    table = pl.read_csv(path, infer_schema=False)
    ids = [c for c in table.columns if c.endswith("_id") and c.startswith("encord")] + ["nn_index", "annotation"]
    return table.with_columns(pl.col(c).cast(pl.Int64) for c in ids if c in table.columns)


def with_paths(info: pl.DataFrame, root: str, modality: str) -> pl.DataFrame:
    return info.with_columns(
        (pl.lit(root) + SEP + pl.col("save_folder") + SEP + pl.lit(modality) + SEP + pl.col("file_name")).alias(
            f"{modality}_file_path"
        )
    )


def groups(tree: Path, root: str, rank: int, modalities: list[str]) -> pl.DataFrame:
    base = tree / "e-mm1_100m"
    table = read(base / f"nn_{rank}" / "data_groups.csv")
    for modality in modalities:
        info = with_paths(read(base / "infos" / f"{modality}.csv"), root, modality)
        key = f"encord_{modality}_id"
        table = table.join(info.select([key, f"{modality}_file_path"]), on=key, how="left")
    text = read(base / "infos" / "text.csv")
    return table.join(text.select(["encord_text_id", "caption"]), on="encord_text_id", how="left")


def triplets(tree: Path, root: str, modalities: list[str]) -> pl.DataFrame:
    base = tree / "e-mm1_1m"
    table = read(base / "triplets.csv")
    infos = {m: with_paths(read(base / "infos" / f"{m}.csv"), root, m) for m in modalities}
    processed = []
    for mod1, mod2 in permutations(modalities, 2):
        some = table.filter((pl.col("paired_modality") == mod1) & (pl.col("annotated_modality") == mod2))
        if some.height == 0:
            continue
        for mod, role in ((mod1, "paired"), (mod2, "annotated")):
            info = infos[mod].select([f"encord_{mod}_id", f"{mod}_file_path"])
            info = info.rename({f"{mod}_file_path": f"{role}_modality_file_path"})
            some = some.join(info, left_on=f"encord_{role}_id", right_on=f"encord_{mod}_id", how="left")
        processed.append(some)
    text = read(base / "infos" / "text.csv").select(["encord_text_id", "caption"])
    return pl.concat(processed).join(text, on="encord_text_id", how="left")
