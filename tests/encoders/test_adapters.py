"""Encoders that need torch, through the real interfaces of their packages, with tiny models of random weights."""

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emm1.encoders.named import encoded
from emm1.errors import EmbeddingError

torch = pytest.importorskip("torch")


def image(path: Path) -> str:
    from PIL import Image  # noqa: PLC0415

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)).save(path)
    return str(path)


def test_sentence_transformers(tmp_path: Path) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer  # noqa: PLC0415
    from transformers import BertConfig, BertModel, BertTokenizer  # noqa: PLC0415

    from emm1.encoders.sentence_transformer import SentenceTransformerEncoder  # noqa: PLC0415

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "a", "dog", "cat"]
    (tmp_path / "vocab.txt").write_text("\n".join(dict.fromkeys(words)), encoding="utf-8")
    config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    BertModel(config).save_pretrained(tmp_path)
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    transformer = Transformer(str(tmp_path))
    model = sentence_transformers.SentenceTransformer(modules=[transformer, Pooling(16)], device="cpu")
    encoder = SentenceTransformerEncoder(model)
    assert (list(encoder.modalities), encoder.dims) == (["text"], 16)
    vectors = encoded(encoder, "text", ["a dog", "a cat", "a dog"])
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-6)
    assert not np.allclose(vectors[0], vectors[1])


def test_open_clip(tmp_path: Path) -> None:
    open_clip = pytest.importorskip("open_clip")
    from emm1.encoders.open_clip import OpenClip  # noqa: PLC0415

    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    vision = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
    (tmp_path / "tiny.json").write_text(json.dumps({"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(tmp_path)
    model, _, transform = open_clip.create_model_and_transforms("tiny")
    encoder = OpenClip(model, transform, open_clip.get_tokenizer("tiny"))
    assert encoder.dims == 24
    (tmp_path / "broken.png").write_bytes(b"no image")
    vectors = encoded(encoder, "image", [image(tmp_path / "x.png"), str(tmp_path / "broken.png")])
    assert np.isnan(vectors[:, 0]).tolist() == [False, True]
    texts = encoded(encoder, "text", ["a dog", "a cat"])
    np.testing.assert_allclose(np.linalg.norm([vectors[0], *texts], axis=1), 1, atol=1e-5)


def ebind() -> Any:
    """EBind, whose backbones give numbers that depend on what goes in."""
    pytest.importorskip("ebind")
    from ebind.configuration import EBindConfig  # noqa: PLC0415
    from ebind.modeling import EBindModel  # noqa: PLC0415
    from ebind.processing import EBindProcessor  # noqa: PLC0415

    from emm1.encoders.ebind import EBind  # noqa: PLC0415

    class Backbone(torch.nn.Module):  # type: ignore[misc, name-defined]
        """As far as an encoder sees: tensors in, 1,024 numbers for each out."""

        def forward(self, batch: Any) -> Any:
            sums = batch.flatten(1).float().sum(1, keepdim=True)
            return torch.cos(sums * torch.linspace(0.1, 1, 1024))

    config = EBindConfig()
    model = EBindModel(config)
    for kind in ("vision", "text", "audio", "points"):
        setattr(model, f"{kind}_backbone", Backbone())
    return EBind(model, EBindProcessor(config))


def test_ebind(tmp_path: Path) -> None:
    encoder = ebind()
    assert set(encoder.modalities) == {"text", "image", "video", "audio", "points"}
    assert encoded(encoder, "text", ["a dog", "a cat"]).shape == (2, 1024)
    (tmp_path / "broken.png").write_bytes(b"no image")
    pictures = encoded(encoder, "image", [image(tmp_path / "x.png"), str(tmp_path / "broken.png")])
    assert np.isnan(pictures[:, 0]).tolist() == [False, True]
    clouds = []
    for number, points in enumerate((100, 50, 100)):
        clouds.append(str(tmp_path / f"{number}.npy"))
        np.save(clouds[-1], np.random.default_rng(number).random((points, 6), np.float32))
    vectors = encoded(encoder, "points", clouds)
    assert np.isfinite(vectors).all()
    alone = encoded(encoder, "points", clouds[1:2])
    np.testing.assert_allclose(vectors[1], alone[0], atol=1e-5)


def test_ebind_decodes_sound_and_films(tmp_path: Path) -> None:
    encoder = ebind()
    from torchcodec.encoders import VideoEncoder  # noqa: PLC0415

    from emm1.encoders.ebind import check_decoder  # noqa: PLC0415

    try:
        check_decoder()
    except EmbeddingError as error:
        pytest.skip(str(error))
    sound, film, broken = (str(tmp_path / name) for name in ("sound.wav", "film.mp4", "broken.mp4"))
    with wave.open(sound, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        file.writeframes((np.sin(np.arange(64_000) / 10) * 8_000).astype("<i2").tobytes())
    frames = np.random.default_rng(0).integers(0, 255, (20, 3, 64, 64), np.uint8)
    VideoEncoder(torch.from_numpy(frames), frame_rate=10).to_file(film)
    Path(broken).write_bytes(b"no film")
    for modality, file_there in (("audio", sound), ("video", film)):
        vectors = encoded(encoder, modality, [file_there, broken])
        assert np.isnan(vectors[:, 0]).tolist() == [False, True]
