"""Makes small pictures of images and videos, within limits of memory and time."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps, ImageStat

from emm1.explore.previews.limits import LARGEST_IMAGE, check_pixels
from emm1.media.clips import opened
from emm1.media.limited import UnreadableError

EDGE = 320
FORMATS = ("AVIF", "GIF", "JPEG", "PNG", "WEBP")  # those that the page shows
FRAMES = 60  # of a video, in which one is looked for that shows something
PLAIN = 8.0  # standard deviation of the brightness, from 0 to 255, of frames that show nothing
WIDE = 256  # by so much are 16 bits more than 8

# A picture that is odd or large is said to the reader, not to the terminal.
warnings.filterwarnings("ignore", module=r"PIL\.")


def of_image(path: Path) -> bytes:
    """The thumbnail of an image: the first frame, turned as the camera was held; JPEG, or PNG if it is transparent.

    Raises:
        UnreadableError: it is damaged, too large, or of no format that is shown.

    >>> path = getfixture("tmp_path") / "a.png"
    >>> Image.new("RGB", (640, 320)).save(path)
    >>> Image.open(BytesIO(of_image(path))).size
    (320, 160)
    """
    size = path.stat().st_size
    if size > LARGEST_IMAGE:
        raise UnreadableError(f"it has {size:,} bytes, too many for a preview")
    Image.init()
    try:
        with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as image:
            check_pixels(*image.size)
            return _small(image)
    except UnreadableError:
        raise
    except Exception as error:  # decoders raise all kinds of them for damaged files
        if isinstance(error, Image.DecompressionBombError):
            raise UnreadableError("it has too many pixels for a preview") from error
        if isinstance(error, Image.UnidentifiedImageError):
            raise UnreadableError("it is no image that is shown") from error
        raise UnreadableError(f"it cannot be decoded: {str(error)[:200]}") from error


def of_video(path: Path) -> bytes:
    """The thumbnail of a video: of its first frames, the first that shows something.

    Raises:
        UnreadableError: it is damaged, too large, or has no pictures.
    """
    first = None
    with opened(path) as (container, file):
        if not container.streams.video:
            raise UnreadableError("it has no pictures")
        stream = container.streams.video[0]
        check_pixels(stream.codec_context.width, stream.codec_context.height)
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(stream)):
            check_pixels(frame.width, frame.height)
            if not frame.is_corrupt:
                pixels = frame.reformat(**_fitted(frame.width, frame.height), format="rgb24").to_ndarray()
                shown = Image.fromarray(pixels).rotate(getattr(frame, "rotation", 0), expand=True)
                first = first or shown
                if ImageStat.Stat(shown.convert("L")).stddev[0] > PLAIN:
                    return _small(shown)
            if file.is_late or number >= FRAMES:
                break
    if first is None:
        raise UnreadableError("it has no frame that can be decoded")
    return _small(first)


def _fitted(width: int, height: int) -> dict[str, int]:
    """The size of a thumbnail."""
    share = min(1.0, EDGE / max(width, height))
    return {"width": max(1, round(width * share)), "height": max(1, round(height * share))}


def _small(image: Image.Image) -> bytes:
    if image.mode.startswith("I"):  # 16 bits, which would be cut off at 255
        image = image.convert("I").point(lambda value: value / WIDE).convert("L")
    if image.mode == "P" or (image.mode in {"RGB", "L"} and "transparency" in image.info):
        image = image.convert("RGBA")
    image.thumbnail((EDGE, EDGE))
    ImageOps.exif_transpose(image, in_place=True)
    file = BytesIO()
    if image.mode in {"RGBA", "LA", "PA"}:
        image.convert("RGBA").save(file, "PNG")
    else:
        image.convert("RGB").save(file, "JPEG", quality=85)
    return file.getvalue()
