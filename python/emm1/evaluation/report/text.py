"""Reports as text: headings, and numbers as they are printed."""

RULE = "=" * 60


def heading(title: str) -> list[str]:
    """A title between two rules, as the published script of EShot prints them."""
    return ["", RULE, title, RULE]


def p_value(p: float) -> str:
    """A p-value with four digits, and the smallest ones by their bound.

    >>> p_value(0.03857), p_value(0.000012), p_value(1.0)
    ('0.0386', '< 0.0001', '1.0000')
    """
    return f"{p:.4f}" if p >= 0.0001 else "< 0.0001"  # noqa: PLR2004 - four digits
