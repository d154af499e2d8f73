"""Writes what was found as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emm1.curation.leakage.sides import TRAINING
from emm1.errors import Error

if TYPE_CHECKING:
    from emm1.curation.leakage.report import LeakageReport


def save(report: LeakageReport, folder: Path) -> Path:
    """Write every file of a report, as `LeakageReport.save` says."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "leakage.txt").write_text(f"{report}\n", encoding="utf-8")
        report.to_frame().write_csv(folder / "leakage.csv")
        report.pairs.write_parquet(folder / "pairs.parquet")
        for side in TRAINING:
            report.clean(side).write_parquet(folder / f"clean-{side}.parquet")
    except OSError as error:
        raise Error(f"the report cannot be written to {folder}: {error.strerror or error}") from error
    return folder
