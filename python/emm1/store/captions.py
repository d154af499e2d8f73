"""The methods of a store that find captions by their words; the index is in `emm1.store.caption_index`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import duckdb

from emm1.arguments import at_least_one
from emm1.checks import check_text, shown
from emm1.errors import StoreError
from emm1.store.caption_index import is_indexed, make_index

if TYPE_CHECKING:
    from emm1.store.store import Store


class Captions:
    """Part of `Store`."""

    def index_captions(
        self,
        *,
        memory_limit: str = "2GB",
        progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
    ) -> int:
        """Index the words of all captions, for `match_captions`; an index that the store has is replaced.

        A word is a run of letters and digits, with case and accents folded; every Chinese character and every Hiragana is a word of
        its own. Builds and upgrades keep the index as long as no caption changes, and say so if they drop it.

        Args:
            memory_limit: what all of it may use; DuckDB gets half of that meanwhile, also for other queries of this process.
            progress: called with what is being done, and two zeros.

        Returns:
            How many captions have a word.

        Raises:
            emm1.errors.StoreError: the store is read-only, or its disk is full; the index is then as it was.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> store.index_captions()
        1403
        """
        with cast("Store", self).cursor() as connection:
            return make_index(connection, memory_limit, progress)

    def match_captions(self, words: str, k: int = 20) -> duckdb.DuckDBPyRelation:
        """The captions that have all words, best first by BM25 (k1 = 1.2, b = 0.75).

        Args:
            words: whole words; words in double quotes must follow one another. Case, accents and what stands between words make no
                difference, and neither do repeated words.
            k: how many; all captions that have the words if there are fewer.

        Returns:
            The columns rank (from 1), dataset (``100m`` or ``1m``), id, score and caption. Equal scores are ordered by dataset and id.

        Raises:
            emm1.errors.StoreError: the captions have no index (`index_captions`), or `words` is no text.
            emm1.errors.EmbeddingError: k < 1.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> _ = store.index_captions()
        >>> store.match_captions('CAFE "waves goodbye"', k=1).columns
        ['rank', 'dataset', 'id', 'score', 'caption']
        """
        if not isinstance(words, str):
            raise StoreError(f"words must be a text, not {shown(words)}")
        check_text(words, StoreError)
        count = at_least_one(k, "k")
        store = cast("Store", self)
        connection = store._connections.for_call()  # noqa: SLF001 - this is a part of it
        if not is_indexed(connection):
            raise StoreError(
                f"the captions of {store.path.name} have no index yet: make it with `emm1 index captions {store.path}` "
                "or Store.index_captions"
            )
        return connection.table_function("match_captions", [words, count])
