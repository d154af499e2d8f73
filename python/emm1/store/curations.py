"""The methods of a store that curate it; what they do is in `emm1.curation`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast

import emm1

if TYPE_CHECKING:
    from emm1.store.store import Store


class Curations:
    """Part of `Store`."""

    def split(
        self,
        test: int = 0,
        validation: int = 0,
        *,
        by: Literal["caption", "connected"] = "caption",
        seed: int = 0,
        progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
    ) -> emm1.SplitReport:
        """Decide which items are for training, validation and test, so that nothing leaks, and write the table ``splits``.

        Captions are compared by their normalised text. No text and no file of a group or triplet of test or validation is in
        one that is left for training, whatever ids it has in either dataset. EShot as a whole is test. The same arguments give the
        same split on every machine. A split that the store has is replaced.

        Args:
            test: how many different texts are for test: of the groups, or of the triplets in a store without groups.
            validation: how many are for validation.
            by: ``caption`` chooses texts and purges training of all that they touch; ``connected`` chooses whole components of
                texts and files, so that nothing but what EShot touches needs to be purged.
            seed: decides which texts are chosen.
            progress: called from time to time with what is being done, how many rows were read, and how many there are.

        Returns:
            How many captions, items, groups and triplets are for training, validation and test, and how many are purged.

        Raises:
            emm1.errors.StoreError: the counts are impossible, or the store is read-only; the table is then as it was.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> report = store.split(test=5, validation=5)
        >>> report.to_frame().columns
        ['dataset', 'what', 'train', 'validation', 'test', 'purged']
        >>> store.sql("SELECT DISTINCT split FROM splits WHERE modality = 'text' ORDER BY ALL").fetchall()
        [('purged',), ('test',), ('train',), ('validation',)]
        """
        from emm1.curation.splits import split_store

        return split_store(cast("Store", self), test, validation, by, seed, progress=progress)
