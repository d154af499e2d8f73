"""Captions by their length in words."""

from __future__ import annotations

import numpy as np
import polars as pl

WORDS = "caption_words"
# Numbers of words up to which captions are together.
WORD_BOUNDS = [5, 10, 20, 40]


def word_ranges(captions: pl.Series) -> pl.Series:
    """The number of words of captions, in ranges such as 06–10, which sort as they count; NULL for NULL.

    >>> word_ranges(pl.Series(["a dog barks", None])).to_list()
    ['01–05', None]
    """
    bounds = [0, *WORD_BOUNDS]
    labels = [f"{low + 1:02}–{high:02}" for low, high in zip(bounds, WORD_BOUNDS, strict=False)]
    labels.append(f"{WORD_BOUNDS[-1] + 1}–")
    counts = captions.str.count_matches(r"\S+")
    places = np.searchsorted(WORD_BOUNDS, counts.fill_null(0).to_numpy())
    return pl.select(pl.when(counts.is_not_null()).then(pl.Series(labels).gather(places))).to_series().rename(WORDS)
