"""Items that come from the same source under the same licence text."""

from __future__ import annotations

from dataclasses import dataclass

from emm1.curation.licenses.reviewed import TERMS, Terms, covered, terms_for

NO_ADVICE = "no legal advice: this is what licence texts say, as reviewed by hand, of the items that they are of; the sources' own terms count"


@dataclass(frozen=True)
class Licensed:
    """Items of a dataset and modality that come from the same source under the same licence text."""

    dataset: str
    modality: str
    source_dataset: str | None
    dataset_license: str | None
    items: int

    @property
    def terms(self) -> Terms:
        """What the licence says of them."""
        return terms_for(self.modality, self.source_dataset, self.dataset_license)

    def values(self) -> dict[str, object]:
        """The row of the report, by its columns."""
        terms = self.terms
        return {
            "dataset": self.dataset,
            "modality": self.modality,
            "source_dataset": self.source_dataset,
            "dataset_license": self.dataset_license,
            "spdx": terms.spdx,
            "covers": covered(self.modality, self.source_dataset, self.dataset_license),
            "reviewed": terms.reviewed,
            **{name: getattr(terms, name) for name in TERMS},
            "items": self.items,
        }


def said(value: bool | None) -> str:
    """What a licence says of something, in words."""
    return "not said" if value is None else "yes" if value else "no"
