"""Models' agreement with people, side by side: only rows that all have scored, resampled in pairs."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emm1.evaluation.ratings.comparison import compare
from emm1.evaluation.ratings.judgements import Judgements
from emm1.evaluation.ratings.measures import MEASURES, Measured


def judged(similarity: list[float], seed: int = 0) -> Judgements:
    count = len(similarity)
    rng = np.random.default_rng(seed)
    rows = pl.DataFrame(
        {
            "triplet": np.arange(count),
            "encord_text_id": rng.integers(count // 2 + 1, size=count),
            "encord_paired_id": rng.integers(3, size=count),
            "encord_annotated_id": rng.integers(count // 2 + 1, size=count),
            "annotation": rng.integers(1, 4, size=count),
        }
    )
    return Judgements("paired", "audio", "image", rows, np.array(similarity, np.float32), {})


def test_a_model_does_not_differ_from_itself() -> None:
    model = judged(np.random.default_rng(1).random(40).tolist())
    frame = compare({"old": [model], "new": [model]}, "old", 50)
    new = frame.filter(model="new")
    assert new["measure"].to_list() == list(MEASURES)
    assert set(new["difference"]) == set(new["difference_low"]) == set(new["difference_high"]) == {0.0}
    assert frame.filter(model="old")["difference"].null_count() == len(MEASURES)


def test_only_common_rows_count() -> None:
    whole = judged(np.random.default_rng(1).random(40).tolist())
    half = whole.where(np.arange(40) % 2 == 0)
    frame = compare({"half": [half], "whole": [whole]}, "half", 0)
    assert set(frame["pairs"]) == {20}
    values = frame.pivot("model", index="measure", values="value")
    assert values["half"].equals(values["whole"], null_equal=True)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), min_size=8, max_size=30), st.integers(0, 5))
def test_differences_are_those_of_the_same_resamples(similarity: list[float], seed: int) -> None:
    new, old = judged(similarity, seed), judged(similarity[::-1], seed)
    frame = compare({"old": [old], "new": [new]}, "old", 20).filter(model="new")
    gained = Measured(new).resampled(20) - Measured(old).resampled(20)
    for place, row in enumerate(frame.iter_rows(named=True)):
        drawn = gained[:, place][~np.isnan(gained[:, place])]
        if len(drawn) >= 10:
            assert (row["difference_low"], row["difference_high"]) == pytest.approx(np.quantile(drawn, [0.025, 0.975]))
        else:
            assert row["difference_low"] is None


def test_a_pair_that_the_baseline_lacks_has_no_difference() -> None:
    model = judged([0.1, 0.2, 0.3])
    frame = compare({"new": [model], "old": []}, "old", 0)
    assert set(frame["model"]) == {"new"}
    assert frame["difference"].null_count() == len(frame)
