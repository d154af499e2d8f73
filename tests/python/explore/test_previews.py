"""Thumbnails and waveforms: of good files, of damaged and hostile ones, and where the packages are not there."""

from __future__ import annotations

import io
import os
import resource
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import av
import numpy as np
import pytest
from exploring import Explored, Server, exploring
from html_tree import Reader
from PIL import Image
from system import command

import emm1
from emm1.dataset import FILE_MODALITIES
from emm1.sample.media import Shown, audio, image, video

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def shown(illustrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explored]:
    """A server of the sample with a copy of its media, some of which are replaced: `put` says with what."""
    root = tmp_path_factory.mktemp("media") / "media"
    shutil.copytree(illustrated.parent / "sample", root)
    with exploring(illustrated, "--root", root) as server:
        yield Explored(illustrated, root, server)


def path_of(explored: Explored, modality: str, number: int, dataset: str = "100m") -> Path:
    ((path,),) = explored.sql(
        "SELECT file_path FROM assets WHERE dataset = $dataset AND modality = $modality AND id = $number",
        dataset=dataset,
        modality=modality,
        number=number,
    )
    return Path(path)


def put(explored: Explored, modality: str, number: int, data: bytes) -> str:
    """Give an item a file; return the address of its preview."""
    path = path_of(explored, modality, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    return address(modality, number)


def address(modality: str, number: int) -> str:
    return f"/waveform/100m/audio/{number}.svg" if modality == "audio" else f"/thumb/100m/{modality}/{number}"


def picture(body: bytes) -> Image.Image:
    opened = Image.open(io.BytesIO(body))
    opened.load()
    return opened


def refusal(explored: Explored, where: str) -> str:
    """Why there is no preview, which is said in a picture; the server goes on."""
    answer = explored.server.get(where)
    assert (answer.status, answer.headers["content-type"]) == (422, "image/svg+xml"), answer.body[:200]
    text = ET.fromstring(answer.text).findtext(f"{SVG}text")  # noqa: S314 - our own
    assert explored.server.get(where).body == answer.body
    assert explored.server.get("/api/store").status == 200
    assert text is not None
    return text.removeprefix("No preview: ")


def png(width: int, height: int) -> bytes:
    """The beginning of a picture of this size."""
    parts = {b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT": zlib.compress(bytes(1000))}
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def saved(drawn: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    drawn.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("modality", ["image", "video"])
def test_thumbnails_are_the_originals_made_small(shown: Explored, modality: str) -> None:
    path = path_of(shown, modality, 0)
    if modality == "image":
        original = Image.open(path).convert("RGB")
    else:
        with av.open(str(path), "r") as container:
            original = Image.fromarray(next(container.decode(video=0)).to_ndarray(format="rgb24"))
    answer = shown.server.get(f"/thumb/100m/{modality}/0")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    small = picture(answer.body)
    assert small.size == (320, 240)
    expected = np.asarray(original.resize(small.size), float)
    assert np.abs(np.asarray(small, float) - expected).mean() < 6


def test_waveforms_show_how_loud_it_is(shown: Explored) -> None:
    answer = shown.server.get("/waveform/100m/audio/0.svg")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert "style=" not in answer.text
    root = ET.fromstring(answer.text)  # noqa: S314 - our own
    path = root.find(f"{SVG}path")
    assert path is not None
    heights = [int(part.partition("v")[2].partition("h")[0]) for part in path.attrib["d"].split("M")[1:]]
    with av.open(str(path_of(shown, "audio", 0)), "r") as container:
        sound = np.abs(np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)]))
    assert len(heights) <= 1000
    assert len(heights) == pytest.approx(min(len(sound) / 160, 1000), abs=3)
    expected = [100 * part.max() for part in np.array_split(sound, len(heights))]
    assert np.corrcoef(heights, expected)[0, 1] > 0.75  # columns of ten seconds are not all as wide


@pytest.mark.parametrize("turned", range(1, 9))
def test_pictures_stand_as_the_camera_was_held(shown: Explored, turned: int) -> None:
    upright = Image.new("RGB", (200, 100))
    upright.paste((255, 0, 0), (0, 0, 100, 50))  # the upper left quarter
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    held = upright.transpose(back[turned]) if turned in back else upright
    exif = Image.Exif()
    exif[0x0112] = turned
    small = picture(shown.server.get(put(shown, "image", 30, saved(held, "JPEG", exif=exif, quality=95))).body)
    assert small.size == (200, 100)
    red = small.getpixel((20, 20))
    assert isinstance(red, tuple)
    assert red[0] > 200
    assert "exif" not in small.info


@pytest.mark.parametrize(
    ("mode", "form"),
    [("RGB", "PNG"), ("RGBA", "PNG"), ("LA", "PNG"), ("P", "GIF"), ("1", "PNG"), ("I;16", "PNG"), ("CMYK", "JPEG"), ("RGB", "WEBP")],
)  # fmt: skip
def test_every_kind_of_picture(shown: Explored, mode: str, form: str) -> None:
    drawn = Image.new("RGBA", (640, 480), (250, 250, 250, 255))
    drawn = Image.fromarray(np.full((480, 640), 250 * 256, np.uint16)) if mode == "I;16" else drawn.convert(mode)
    answer = shown.server.get(put(shown, "image", 31, saved(drawn, form)))
    assert answer.status == 200
    found = picture(answer.body)
    assert found.size == (320, 240)
    grey = found.convert("L").getpixel((100, 100))
    assert isinstance(grey, int)
    assert abs(grey - 250) < 8


def test_a_gif_of_10000_frames_is_its_first(shown: Explored) -> None:
    frame = Image.new("P", (20, 20))
    frames = [frame.copy() for _ in range(2)]
    frames[1].putpixel((0, 0), 1)
    data = saved(frames[0], "GIF", save_all=True, append_images=[frames[n % 2] for n in range(1, 10_000)], duration=20)
    assert picture(shown.server.get(put(shown, "image", 32, data)).body).size == (20, 20)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png(50_000, 50_000), "pixels"),
        (png(6000, 4001), "it has 6,000 × 4,001 pixels, too many for a preview"),
        (png(100, 100), "it cannot be decoded"),
        (image(Shown("a", "b", 1, 0.1, 1))[:5000], "it cannot be decoded: image file is truncated"),
        (image(Shown("a", "b", 1, 0.1, 1))[:30], "it cannot be decoded"),
        (b"<script>alert(1)</script>", "it is no image that is shown"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "it is no image that is shown"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run", "it is no image that is shown"),
        (b"II*\0" + bytes(1000), "it is no image that is shown"),
        (b"", "it is no image that is shown"),
        (b"\0" * 100_000, "it is no image that is shown"),
        (os.urandom(100_000), "it is no image that is shown"),
    ],
)
def test_images_that_are_none(shown: Explored, data: bytes, reason: str) -> None:
    assert reason in refusal(shown, put(shown, "image", 33, data))


def test_damaged_pictures_at_random(shown: Explored) -> None:
    random = np.random.default_rng(3)
    for form in ("PNG", "JPEG", "GIF", "WEBP", "AVIF"):
        whole = np.frombuffer(saved(Image.new("RGB", (64, 64), (9, 9, 200)), form), np.uint8)
        for _ in range(12):
            broken = whole.copy()
            broken[random.integers(4, len(broken), 5)] = random.integers(0, 256, 5)
            answer = shown.server.get(put(shown, "image", 34, broken.tobytes()))
            assert answer.status in {200, 422}
    assert shown.server.get("/api/store").status == 200


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize("modality", ["video", "audio"])
@pytest.mark.parametrize(
    "data",
    [
        PLAYLIST,
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        b"",
        bytes(100_000),
        video(Shown("a", "b", 1, 0.1, 1))[:-2000],
        os.urandom(100_000),
        saved(Image.new("RGB", (64, 64)), "PNG"),
    ],
)
def test_clips_that_are_none(shown: Explored, modality: str, data: bytes) -> None:
    assert refusal(shown, put(shown, modality, 35, data)).startswith("it ")


def test_clips_without_pictures_or_sound(shown: Explored) -> None:
    made = Shown("a", "b", 1, 0.1, 1)
    assert refusal(shown, put(shown, "video", 36, audio(made))) == "it has no pictures"
    assert refusal(shown, put(shown, "audio", 36, video(made))) == "it has no sound"


def test_a_clip_of_10_gb_of_nothing(shown: Explored) -> None:
    path = path_of(shown, "video", 37)
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypisom" + bytes(12))
        file.truncate(10 << 30)
    assert refusal(shown, address("video", 37)).startswith("it ")
    path.unlink()
    picture_file = path_of(shown, "image", 37)
    with picture_file.open("wb") as file:
        file.write(b"RIFF\xff\xff\xff\x7fWEBPVP8 ")
        file.truncate(10 << 30)
    assert refusal(shown, address("image", 37)) == "it has 10,737,418,240 bytes, too many for a preview"
    picture_file.unlink()


def test_the_first_frame_that_shows_something(shown: Explored) -> None:
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as container:
        stream = container.add_stream("libx264", 8, {"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(16):
            frame = np.zeros((240, 320, 3), np.uint8)
            if number >= 9:
                frame[:, 160:] = (250, 10, 10)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    small = picture(shown.server.get(put(shown, "video", 38, file.getvalue())).body)
    assert np.asarray(small)[:, 170:, 0].mean() > 200


def test_long_audio_is_cut(shown: Explored) -> None:
    file = io.BytesIO()
    with av.open(file, "w", "wav") as container:
        stream = container.add_stream("pcm_u8", 8000, layout="mono")
        for minute in range(12):
            frame = av.AudioFrame.from_ndarray(np.full((1, 8000 * 60), 200, np.uint8), "u8", "mono")
            frame.sample_rate, frame.pts = 8000, minute * 8000 * 60
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    path = path_of(shown, "audio", 39)
    path.unlink(missing_ok=True)
    # Decoded as what the name says: the item's name ends with mp4, so that this must be seen through a link.
    wav = shown.root / "long.wav"
    wav.write_bytes(file.getvalue())
    path.symlink_to(wav)
    text = shown.server.get(address("audio", 39)).text
    assert "<title>The first 600.0 seconds</title>" in text
    assert text.count("M") == 1000


def test_links_out_of_the_media_folder(shown: Explored, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(image(Shown("a", "b", 1, 0.1, 1)))
    path = path_of(shown, "image", 39)
    path.unlink(missing_ok=True)
    path.symlink_to(secret)
    assert shown.server.get("/thumb/100m/image/39").status == 404
    for number, modality in ((0, "points"), (0, "text"), (99_999_999, "image"), (0, "audio")):
        assert shown.server.get(f"/thumb/100m/{modality}/{number}").status == 404
        assert (
            shown.server.get(f"/waveform/100m/{modality if modality != 'audio' else 'image'}/{number}.svg").status
            == 404
        )
    assert shown.server.get("/waveform/100m/audio/x.svg").status == 404
    assert shown.server.ask("/thumb/100m/image/0").status == 403


def test_previews_are_kept_beside_the_store(shown: Explored) -> None:
    folder = shown.store.with_name(f"{shown.store.name}.thumbnails")
    where = put(shown, "image", 29, saved(Image.new("RGB", (600, 300), (0, 0, 255)), "PNG"))
    before = set(folder.iterdir()) if folder.exists() else set()
    first = shown.server.get(where).body
    (kept,) = set(folder.iterdir()) - before
    assert kept.read_bytes() == first
    assert folder.stat().st_mode & 0o777 == 0o700
    kept.write_bytes(saved(Image.new("RGB", (1, 1)), "PNG"))
    assert picture(shown.server.get(where).body).size == (1, 1)
    changed = put(shown, "image", 29, saved(Image.new("RGB", (300, 600)), "PNG"))
    assert picture(shown.server.get(changed).body).size == (160, 320)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_200_previews_at_once(shown: Explored) -> None:
    with emm1.open(shown.store, read_only=True) as store:
        rows = store.sql("SELECT dataset, modality::VARCHAR, id, file_path FROM assets WHERE modality != 'points'")
        found = [row[:3] for row in rows.fetchall() if row[3] and Path(row[3]).exists() and not 29 <= row[2] < 40]
    camera = saved(Image.effect_noise((5600, 4200), 50).convert("RGB"), "PNG", compress_level=1)
    heavy = [put(shown, "image", number, camera) for number in (27, 28)]
    addresses = [
        f"/waveform/{dataset}/audio/{number}.svg" if modality == "audio" else f"/thumb/{dataset}/{modality}/{number}"
        for dataset, modality, number in found
    ]
    wanted = [*heavy, *addresses][:196]
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(shown.server.get, [*wanted, "/", "/api/store", "/triplets", "/api/captions"]))
    assert {answer.status for answer in answers} == {200}
    assert peak(shown.server) < 500 << 20


def peak(server: Server) -> int:
    """The most memory that a server had, in bytes."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def test_pages_show_previews(shown: Explored) -> None:
    ((caption,),) = shown.sql("SELECT min(encord_text_id) FROM e_mm1_100m.groups")
    page = Reader(shown.server.get(f"/items/100m/text/{caption}").text).root
    pictures = [str(each.attributes["src"]) for each in page.all("img")]
    posters = [str(each.attributes["poster"]) for each in page.all("video")]
    assert [src.split("/")[1] for src in pictures].count("waveform") == len(page.all("audio")) > 0
    assert {src.split("/")[1] for src in posters} == {"thumb"}
    for src in (*pictures[:6], *posters[:3]):
        assert shown.server.get(src).status == 200
    (link,) = {str(each.attributes["href"]) for each in page.all("a") if each.all("img")[:1] == page.all("img")[:1]}
    assert link == pictures[0].replace("/thumb/", "/media/")
    for cloud in page.all("point-cloud"):
        assert shown.server.get(str(cloud.attributes["src"])).status == 200
        assert shown.server.get(str(cloud.one("a").attributes["href"])).status == 200


def test_absent_media_say_where_they_come_from(shown: Explored) -> None:
    ((number, youtube, start, source, licence, path),) = shown.sql(
        "SELECT v.encord_video_id, youtube_id, start_time, v.source_dataset, v.dataset_license, file_path FROM e_mm1_100m.video v JOIN assets a "
        "ON dataset = '100m' AND modality = 'video' AND id = encord_video_id WHERE youtube_id IS NOT NULL ORDER BY id DESC LIMIT 1"
    )
    assert not Path(path).exists()
    page = Reader(shown.server.get(f"/items/100m/video/{number}").text).root
    (card,) = [each for each in page.all("p") if each.attributes.get("class") == "absent"]
    text = " ".join(card.text.split())
    for part in ("Video: not on this disk", f"{source} · {licence}", f"{youtube}, from {int(start)} s", path):
        assert part in text
    link = card.one("a").attributes
    assert link["href"] == f"https://www.youtube.com/watch?v={youtube}&t={int(start)}s"
    assert "noreferrer" in str(link["rel"])
    assert not page.all("video")


@pytest.mark.parametrize("modality", FILE_MODALITIES)
def test_absent_media_of_every_modality(shown: Explored, modality: str) -> None:
    with emm1.open(shown.store, read_only=True, root=shown.root) as store:
        rows = store.sql(
            "SELECT dataset, id, file_path FROM assets WHERE modality = $m", params={"m": modality}
        ).fetchall()
    absent = {dataset: number for dataset, number, path in rows if not Path(path).exists()}
    assert len(absent) >= 2
    for dataset, number in absent.items():
        page = shown.server.get(f"/items/{dataset}/{modality}/{number}")
        assert (page.status, "not on this disk" in page.text) == (200, True)


@pytest.mark.parametrize(("package", "module"), [("pillow", "PIL"), ("av", "av")])
def test_without_the_packages_browsers_do_it(illustrated: Path, package: str, module: str) -> None:
    arguments = command("explore", illustrated, "--no-browser")[-3:]
    code = f"import sys; sys.modules[{module!r}] = None; sys.argv = {['emm1', *arguments]!r}; from emm1.__main__ import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        server = Server(process.stdout.readline().strip(), process)
        thumb = server.get("/thumb/100m/image/0")
        assert (thumb.status, thumb.headers["location"]) == (307, "/media/100m/image/0")
        for address_ in ("/thumb/100m/video/0", "/waveform/100m/audio/0.svg"):
            answer = server.get(address_)
            assert answer.status == 404
            assert f"Previews need the package {package}: pip install" in answer.text
        page = Reader(server.get("/items/100m/audio/0").text).root
        assert (len(page.all("img")), len(page.all("audio"))) == (0, 1)
        assert "poster" not in Reader(server.get("/items/100m/video/0").text).root.one("video").attributes
        process.terminate()
        assert process.communicate()[1] == ""


@pytest.mark.skipif(os.name != "posix", reason="a limit of this system")
def test_a_disk_that_takes_nothing(illustrated: Path, tmp_path: Path) -> None:
    """Files may not grow: previews are sent all the same."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    store = tmp_path / "emm1.duckdb"
    store.symlink_to(illustrated)
    arguments = command("explore", store, "--no-browser")
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit)  # noqa: PLW1509
    assert process.stdout is not None
    with process:
        server = Server(process.stdout.readline().strip(), process)
        for _ in range(2):
            assert picture(server.get("/thumb/100m/image/1").body).size == (320, 240)
        process.terminate()
        assert process.communicate()[1] == ""
