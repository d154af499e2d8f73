"""Tables on terminals of any size: nothing is wider than the screen, and what is shown is what there is."""

import io
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from emm1.cli.screen import Column, Row, Screen, screen_of, tabbed
from emm1.cli.tables import MOST_ROWS, NARROWEST, draw

TEXTS = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.sampled_from(
        [
            "/data/e-mm1_100m_only/image/000000220172_7.jpg",
            "漢字とかなの見出し",
            "a dog barks at the moon",
            "👩‍👩‍👧",
            "שלום",
        ]
    ),
)
SCREENS = st.builds(Screen, st.integers(1, 300), st.integers(1, 60))


@st.composite
def tables(draw_: st.DrawFn) -> tuple[list[Column], list[Row]]:
    names = draw_(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=30))
    columns = [
        Column(name, type=draw_(st.sampled_from(["varchar", "timestamp with time zone"])), text=draw_(st.booleans()))
        for name in names
    ]
    rows: list[Row] = draw_(st.lists(st.tuples(*(TEXTS for _ in names)), max_size=60))
    return columns, rows


@given(tables(), SCREENS, st.booleans())
@settings(deadline=None, max_examples=200)
def test_a_table_fits_its_screen(table: tuple[list[Column], list[Row]], screen: Screen, whole: bool) -> None:
    columns, rows = table
    drawn = draw(columns, rows, screen, "NULL", whole=whole)
    assert drawn.rows == len(rows)
    assert 1 <= drawn.columns <= len(columns)
    assert drawn.shown <= len(rows)
    assert not whole or drawn.shown == len(rows)
    for line in drawn.lines:
        assert cell_len(line) <= max(screen.width, 2), line
        assert line.isprintable() or not line.isascii()


@given(st.integers(0, 200), st.integers(8, 60))
@settings(deadline=None)
def test_head_and_tail_are_shown(count: int, height: int) -> None:
    rows = [(str(n),) for n in range(count)]
    drawn = draw([Column("n", "bigint", number=True)], rows, Screen(80, height), "")
    shown = [line.strip() for line in drawn.lines[3:]]
    assert len(drawn.lines) + 2 <= max(height, 9)
    if "…" in shown:
        at = shown.index("…")
        assert shown[:at] == [str(n) for n in range(at)]
        assert shown[at + 1 :] == [str(n) for n in range(count)][count - (len(shown) - at - 1) :]
        assert drawn.shown == len(shown) - 1 < count
    else:
        assert shown == [str(n) for n in range(count)]


def test_a_long_result_is_counted_up_to_a_limit_and_never_kept() -> None:
    given_ = 0

    def rows() -> Iterator[Row]:
        nonlocal given_
        for n in range(10 * MOST_ROWS):
            given_ += 1
            yield (str(n),)

    drawn = draw([Column("n")], rows(), Screen(80, 24), "")
    assert given_ == MOST_ROWS + 1
    assert drawn.summary(1) == f"more than 100,000 rows ({drawn.shown} shown)"
    assert drawn.lines[-1] == "…"


def test_numbers_are_never_cut() -> None:
    columns = [Column("id", number=True), Column("caption"), Column("count", number=True, count=True)]
    rows = [("1234567890123", "a long caption " * 9, "9876543210")]
    drawn = draw(columns, rows, Screen(50, 24), "")
    shown = "\n".join(drawn.lines)
    assert "1234567890123" in shown
    assert "9,876,543,210" in shown
    assert "a long" in shown


def test_columns_in_the_middle_are_left_out() -> None:
    columns = [Column(f"c{n}") for n in range(300)]
    drawn = draw(columns, [["x" * NARROWEST] * 300], Screen(80, 24), "")
    assert [name for name in drawn.lines[0].split() if name != "…"] == ["c0", "c1", "c298", "c299"]
    assert drawn.summary(300) == "1 row, 300 columns (4 shown)"


def test_lines_with_tabs_are_one_for_each_row() -> None:
    rows: list[Row] = [["a\tb", "c\nd\r"], [None, ""]]
    assert list(tabbed(["x\t", "y"], rows, "NULL")) == ["x\\t\ty", "a\\tb\tc\\nd\\r", "NULL\t"]


@pytest.mark.parametrize(
    ("environment", "styled"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({}, False)],
)
def test_styles(environment: dict[str, str], styled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"COLUMNS": "33", "LINES": "7"} | environment).items():
        monkeypatch.setenv(name, value)
    assert screen_of(io.StringIO()) is None
    terminal = io.TextIOWrapper(io.BytesIO(), "utf-8")
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    screen = screen_of(terminal)
    assert screen == Screen(33, 7, "utf-8", styled)
    shown = "".join(draw([Column("a", "varchar")], [(None,)], screen, "NULL").lines)
    assert ("\x1b[" in shown) is styled
