"""What is spent on making a preview of a file that may be damaged or hostile."""

from __future__ import annotations

from xml.sax.saxutils import escape

from emm1.media.limited import UnreadableError

MOST_PIXELS = 24_000_000  # decoded, of four bytes each
LARGEST_IMAGE = 64 << 20  # bytes of a file: some decoders read all of it at once


def check_pixels(width: int, height: int) -> None:
    """Refuse a picture that would take too much memory, before it is decoded.

    >>> check_pixels(50_000, 50_000)
    Traceback (most recent call last):
    ...
    emm1.media.limited.UnreadableError: it has 50,000 × 50,000 pixels, too many for a preview
    """
    if width * height > MOST_PIXELS:
        raise UnreadableError(f"it has {width:,} × {height:,} pixels, too many for a preview")


def reason(text: str) -> bytes:
    """A picture that says why there is none, which browsers show in its place.

    >>> b"&lt;b&gt;" in reason("<b>")
    True
    """
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 60"><title>No preview</title>'
        f'<text x="8" y="34" font-size="12" font-family="sans-serif" fill="#7a8590">{escape(_printable(text))}</text></svg>'
    ).encode()


def _printable(text: str) -> str:
    """Without characters that XML does not have."""
    return "".join(character for character in text if character.isprintable())
