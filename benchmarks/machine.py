"""The machine that measured, in one line. Imports nothing of emm1, so that any build of it can be measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
    model = next((line.split(": ")[1] for line in flags.splitlines() if line.startswith("model name")), "")
    instructions = "AVX-512 VNNI" if "avx512_vnni" in flags else "AVX2" if "avx2" in flags else "neither AVX"
    return f"{platform.machine()}, {os.cpu_count()} cores, {model}, {instructions}"
