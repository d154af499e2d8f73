"""The machine that measures. Imports nothing of emm1, so that any build of it can be measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def specification() -> dict[str, str | int]:
    """Architecture, number of cores, processor, instruction set and memory, as far as the system says."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
    model = next((line.split(": ")[1] for line in flags.splitlines() if line.startswith("model name")), "")
    sets = {"avx512_vnni": "AVX-512 VNNI", "avx2": "AVX2", "asimddp": "NEON"}
    found: dict[str, str | int] = {
        "architecture": platform.machine(),
        "cores": os.cpu_count() or 1,
        "processor": model or platform.processor(),
        "instructions": next((name for flag, name in sets.items() if flag in flags), "scalar"),
    }
    if os.environ.get("EMM1_SIMD"):
        found["EMM1_SIMD"] = os.environ["EMM1_SIMD"]
    if {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= getattr(os, "sysconf_names", {}).keys():
        found["gigabytes"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    return found
