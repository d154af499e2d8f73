"""Which media have previews, and what makes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

PACKAGES = {"PIL": "pillow", "av": "av"}


@dataclass(frozen=True)
class Kind:
    """A kind of preview.

    Attributes:
        name: the first part of its address.
        suffix: the last part of its address.
        module: makes it, with the packages of the extra.
        function: takes a path, gives the bytes, or raises `UnreadableError`.
    """

    name: str
    suffix: str
    module: str
    function: str

    def make(self, path: Path) -> bytes:
        """The preview of a file."""
        made: bytes = getattr(import_module(self.module), self.function)(path)
        return made


KINDS = {
    "image": Kind("thumb", "", "emm1.explore.previews.thumbnails", "of_image"),
    "video": Kind("thumb", "", "emm1.explore.previews.thumbnails", "of_video"),
    "audio": Kind("waveform", ".svg", "emm1.explore.previews.waveform", "of_audio"),
}


@cache
def missing_package() -> str | None:
    """A package that is not installed and without which no previews are made; None if all are there."""
    return next((package for module, package in PACKAGES.items() if find_spec(module) is None), None)


def preview_address(modality: str, address: str) -> str | None:
    """The address of the preview of an item; None if there are none of its modality, or no packages that make them.

    >>> preview_address("audio", "100m/audio/7"), preview_address("points", "100m/points/7")
    ('/waveform/100m/audio/7.svg', None)
    """
    kind = KINDS.get(modality)
    return None if kind is None or missing_package() else f"/{kind.name}/{address}{kind.suffix}"
