"""What is on screen as a statement of SQL and as a program in Python, to be copied: the server runs neither.

Statements are composed with parameters ($name). In the SQL they become quoted literals, in Python they are handed over beside it, so
that nothing that an address or a store says can end a text or begin another statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp, parse_one

from emm1.dataset import KEYS, SCHEMAS, Split
from emm1.explore.items import CONNECTED, EVERY_NEIGHBOUR, Chosen, Span, Wanted, sql
from emm1.explore.reports.kind import Kind
from emm1.explore.words import ALL

if TYPE_CHECKING:
    from emm1.explore.basket import Named
    from emm1.explore.likeness import Narrowed
    from emm1.explore.words import Sought
    from emm1.store.registered import Registered

DIALECT = "duckdb"


@dataclass(frozen=True)
class Copied:
    """One text of each language.

    Attributes:
        title: what it is.
        sql: a statement, for `emm1 sql` and for every client that has loaded the extension; None for what SQL cannot say.
        python: a program; `rows` is what it finds.
    """

    title: str
    sql: str | None
    python: str


class Copies:
    """The texts about a store.

    >>> text = Copies(Path("/data/emm1.duckdb")).captions("1m", Span(after=7))
    >>> print(text.sql)
    SELECT
      *
    FROM e_mm1_1m.text
    WHERE
      encord_text_id > 7
    ORDER BY
      encord_text_id
    LIMIT 20;
    >>> print(text.python.splitlines()[2])
    store = emm1.open('/data/emm1.duckdb', read_only=True)
    """

    def __init__(self, store: Path) -> None:
        self._store = str(store)

    def captions(self, dataset: Split, span: Span) -> Copied:
        """Captions in the order of their ids."""
        query = _spanned(exp.select("*").from_(_table(dataset, "text")), KEYS[dataset, "text"], span)
        return self._query("Captions", query, after=span.after, before=span.before)

    def item(self, dataset: Split, modality: str, number: int, chosen: Chosen = EVERY_NEIGHBOUR) -> list[Copied]:
        """An item, and what it is connected to: of a caption, the neighbours that are chosen."""
        key = KEYS[dataset, modality]
        row = exp.select("*").from_(_table(dataset, modality)).where(exp.column(key).eq(_given("id")))
        found = [self._query("Row", row, id=number)]
        if dataset == "100m" and modality == "text":
            found.append(self.groups(number, chosen))
        elif dataset == "100m":
            near = exp.select("nn_index", "encord_text_id").from_(_table("100m", "groups"))
            near = near.where(exp.column(f"encord_{modality}_id").eq(_given("id")))
            near = _ordered(near, "nn_index", "encord_text_id").limit(CONNECTED)
            found.append(self._query("Captions it is a neighbour of", near, id=number))
        elif dataset == "1m":
            found.append(self.triplets(Wanted(about=(modality, number))))
        else:
            listed = _ordered(exp.select("category").from_(_table("eshot", "categories")), "category")
            listed = listed.where(
                exp.column("modality").eq(_given("modality")), exp.column("eshot_id").eq(_given("id"))
            )
            found.append(self._query("Categories", listed, modality=modality, id=number))
        return found

    def groups(self, caption: int, chosen: Chosen = EVERY_NEIGHBOUR) -> Copied:
        """The groups of a caption."""
        rank, modality = chosen.nn_index, chosen.modality
        columns = (
            ["*"]
            if modality is None
            else ["encord_text_id", f"encord_{modality}_id", "nn_index", "caption", f"{modality}_file_path"]
        )
        query = _ordered(exp.select(*columns).from_(exp.table_("groups")), "nn_index")
        query = query.where(exp.column("encord_text_id").eq(_given("caption")), *_equal({"nn_index": rank}))
        given = {"nn_index": rank, "modalities": None if modality is None else [modality], "captions": [caption]}
        arguments = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
        call = f"store.groups({arguments}).order('nn_index')"
        return Copied("Groups", _written(query, caption=caption, nn_index=rank), self._program(call))

    def triplets(self, wanted: Wanted) -> Copied:
        """Rated triplets."""
        query = (
            exp.select("*").with_("rated", as_=parse_one(sql("triplets"), dialect=DIALECT)).from_(exp.table_("rated"))
        )
        given = {
            "paired_modality": wanted.paired,
            "annotated_modality": wanted.annotated,
            "annotation_label": wanted.label,
        }
        named = {"source_dataset": wanted.source_dataset, "dataset_license": wanted.dataset_license}
        conditions = [*_equal(given), *_about(wanted), *_of_source(named)]
        modality, number = wanted.about or (None, None)
        query = _spanned(query.where(*conditions), "place", wanted.span)
        places = {"after": wanted.span.after, "before": wanted.span.before}
        return self._query("Rated triplets", query, **places, **given, **named, modality=modality, id=number)

    def alike(self, by: Registered, searched: Registered, number: int, k: int, narrowed: Narrowed) -> Copied:
        """The items most like an item."""
        condition = narrowed.condition(searched)
        program = self._alike_program(by, searched, number, k, condition)
        vector = exp.func("embedding", _given("by"), _given("id"))
        same = by.name == searched.name
        found: exp.Func
        if condition is None:
            found = exp.func("nearest", _given("base"), vector, _named("k", k + 1 if same else k))
        else:
            ids = exp.select(exp.func("list", exp.column(searched.key))).from_(
                _table(searched.dataset, searched.modality)
            )
            ids = ids.where(condition, dialect=DIALECT)
            if same:
                ids = ids.where(exp.column(searched.key).neq(_given("id")))
            found = exp.func("nearest_among", _given("base"), vector, ids.subquery(), _named("k", k))
        query = _ordered(exp.select("id", "score").from_(exp.Table(this=found)), "rank").limit(k)
        if same and condition is None:
            query = query.where(exp.column("id").neq(_given("id")))
        written = _written(query, by=by.name, base=searched.name, id=number)
        return Copied(f"Most like this, by {by.name}", written, program)

    def _alike_program(self, by: Registered, searched: Registered, number: int, k: int, condition: str | None) -> str:
        same = by.name == searched.name
        asked = f"ids={number}" if same else f"store.embeddings({by.name!r}).vectors([{number}])[0]"
        words = [repr(searched.name), asked, f"k={k}"]
        words += [] if condition is None else [f"where={condition!r}"]
        words += ["exclude_self=True"] if same else []
        return self._program(f"store.nearest({', '.join(words)}, with_items=True)")

    def words(self, sought: Sought) -> Copied:
        """Captions by their words, of a store that has an index of them."""
        title, last = "Captions with these words", sought.after + sought.limit
        narrowed = {name: value for name, value in vars(sought.narrowed).items() if value is not None}
        found = exp.func("match_captions", _given("words"), _named("k", ALL if sought.dataset or narrowed else last))
        query = _ordered(exp.select("dataset", "id", "score", "caption").from_(exp.Table(this=found)), "rank")
        given = {"dataset": sought.dataset, **narrowed}
        query = query.where(*_equal({"dataset": sought.dataset}), *_of_captions(narrowed))
        query = query.limit(sought.limit).offset(sought.after)
        if sought.dataset or narrowed:
            return self._query(title, query, words=sought.words, **given)
        call = f"store.match_captions({sought.words!r}, k={last}).order('rank').limit({sought.limit}, offset={sought.after})"
        return Copied(title, _written(query, words=sought.words), self._program(call))

    def text(self, text: str, encoder: str, searched: Registered, k: int, narrowed: Narrowed) -> Copied:
        """The items most like a text, which needs the encoder."""
        condition = narrowed.condition(searched)
        words = [repr(searched.name), f"text={text!r}", f"encoder={encoder!r}", f"k={k}"]
        words += [] if condition is None else [f"where={condition!r}"]
        return Copied("Most like this text", None, self._program(f"store.nearest({', '.join(words)}, with_items=True)"))

    def basket(self, named: Sequence[Named]) -> Copied:
        """The items of a basket."""
        columns = ("dataset", "modality", "id")
        rows = exp.values([tuple(map(exp.convert, each)) for each in named], alias="basket", columns=columns)
        query = exp.select("*").from_(exp.table_("assets")).join(rows, using=list(columns), join_type="semi")
        frame = dict(zip(columns, map(list, zip(*named, strict=True)), strict=True))
        call = f'store.sql("FROM assets SEMI JOIN basket USING ({", ".join(columns)})")'
        return Copied("Basket", _written(query), self._program(call, f"basket = pl.DataFrame({frame!r})\n"))

    def map(self, name: str, dataset: Split | None, modality: str | None) -> Copied:
        """The points of a map, with the rows of their items if it is known what they are."""
        query = exp.select("m.id", "m.x", "m.y").from_(exp.table_("maps", alias="m"))
        if dataset is not None and modality is not None:
            items = exp.alias_(_table(dataset, modality), "i", table=True)
            same = exp.column(KEYS[dataset, modality], table="i").eq(exp.column("id", table="m"))
            query = query.select("i.*").join(items, on=same, join_type="left")
        query = _ordered(query.where(exp.column("name", table="m").eq(_given("name"))), "m.id")
        return self._query("Map", query, name=name)

    def eshot(self) -> Copied:
        """The categories of EShot."""
        return self._query("Categories", parse_one(sql("eshot_classes"), dialect=DIALECT))

    def eshot_category(self, category: str) -> Copied:
        """The samples of a category."""
        query = exp.select("modality", "eshot_id").from_(_table("eshot", "categories"))
        query = query.where(exp.column("category").eq(_given("category")))
        return self._query("Samples", _ordered(query, "modality", "rowid"), category=category)

    def queries(self, folders: Sequence[Path], kind: Kind, start: int, limit: int) -> Copied:
        """Queries of one saved report on retrieval, or of two."""
        name = "failures" if len(folders) == 1 else kind.value
        query = parse_one(sql(f"copied_{name}"), dialect=DIALECT, into=exp.Select).limit(limit).offset(start)
        files = [str(folder.resolve() / "per_query.parquet") for folder in folders]
        return self._query("Queries", query, **dict(zip(("model", "baseline"), files, strict=False)))

    def confusions(
        self, folder: Path, direction: str | None, category: str | None, predicted: str | None, start: int, limit: int
    ) -> Copied:
        """Confused classes of a saved report; the direction is None for one that is not on EShot."""
        name = "copied_confusions" if direction is None else "copied_eshot_confusions"
        query = exp.select("*").with_("pairs", as_=parse_one(sql(name), dialect=DIALECT)).from_(exp.table_("pairs"))
        given = {"category": category, "predicted": predicted}
        query = _ordered(query.where(*_equal(given)), exp.column("samples").desc(), "category", "predicted")
        query = query.limit(limit).offset(start)
        file = str(folder.resolve() / "predictions.parquet")
        return self._query("Confusions", query, predictions=file, direction=direction, **given)

    def _query(self, title: str, query: exp.Expr, **given: Any) -> Copied:
        """A query with the values of its parameters."""
        named = {parameter.name for parameter in query.find_all(exp.Placeholder)}
        used = {name: value for name, value in given.items() if name in named}
        text = query.sql(DIALECT, pretty=True, normalize_functions=False, comments=False)
        params = f", params={used!r}" if used else ""
        return Copied(title, _written(query, **used), self._program(f'store.sql("""\n{text}\n"""{params})'))

    def _program(self, call: str, before: str = "") -> str:
        modules = "import emm1\nimport polars as pl\n" if before else "import emm1\n"
        return f"{modules}\nstore = emm1.open({self._store!r}, read_only=True)\n{before}rows = {call}\nprint(rows)"


def _about(wanted: Wanted) -> list[exp.Condition]:
    """That a triplet contains an item."""
    if wanted.about is None:
        return []
    if wanted.about[0] == "text":
        return [exp.column("encord_text_id").eq(_given("id"))]
    places = [
        exp.and_(
            exp.column(f"{role}_modality").eq(_given("modality")), exp.column(f"encord_{role}_id").eq(_given("id"))
        )
        for role in ("paired", "annotated")
    ]
    return [exp.or_(*places)]


def _of_source(named: dict[str, str | None]) -> list[exp.Condition]:
    """That the rated item of a triplet has a source and a licence."""
    conditions = _equal(named)
    if not conditions:
        return []
    items = exp.select("modality", "id").from_(exp.table_("assets")).where(exp.column("dataset").eq("1m"), *conditions)
    rated = exp.Tuple(expressions=[exp.column("annotated_modality"), exp.column("encord_annotated_id")])
    return [exp.In(this=rated, query=items.subquery())]


def _of_captions(narrowed: dict[str, str]) -> list[exp.Condition]:
    """That a caption has a source and a licence, and that it was put into a split."""
    named = {name: value for name, value in narrowed.items() if name != "split"}
    tables = [("assets", named), ("splits", {name: value for name, value in narrowed.items() if name == "split"})]
    caption = exp.Tuple(expressions=[exp.column("dataset"), exp.column("id")])
    return [
        exp.In(
            this=caption.copy(),
            query=exp.select("dataset", "id")
            .from_(exp.table_(table))
            .where(exp.column("modality").eq("text"), *_equal(columns))
            .subquery(),
        )
        for table, columns in tables
        if columns
    ]


def _equal(given: Mapping[str, str | int | None]) -> list[exp.Condition]:
    """That columns have the values that are given."""
    return [exp.column(column).eq(_given(column)) for column, value in given.items() if value is not None]


def _ordered(query: exp.Select, *by: str | exp.Expr) -> exp.Select:
    return query.order_by(*by, dialect=DIALECT)


def _spanned(query: exp.Select, column: str, span: Span) -> exp.Select:
    """The rows of a span, in the order of a column."""
    if span.before is None:
        after = [exp.column(column) > _given("after")] if span.after >= 0 else []
        return _ordered(query.where(*after), column).limit(span.limit)
    query = query.where(exp.column(column) < _given("before"))
    last = _ordered(query, exp.Ordered(this=exp.column(column), desc=True)).limit(span.limit)
    return _ordered(exp.select("*").from_(last.subquery("last")), column)


def _table(dataset: Split, table: str) -> exp.Table:
    return exp.table_(table, db=SCHEMAS[dataset])


def _named(name: str, value: int) -> exp.PropertyEQ:
    """An argument of a macro by its name."""
    return exp.PropertyEQ(this=exp.to_identifier(name), expression=exp.Literal.number(value))


def _given(name: str) -> exp.Placeholder:
    """A parameter."""
    return exp.Placeholder(this=name)


def _written(query: exp.Expr, **given: Any) -> str:
    """A statement with literals in the places of parameters."""
    literals = {name: exp.convert(value) for name, value in given.items()}
    return (
        exp.replace_placeholders(query, **literals).sql(DIALECT, pretty=True, normalize_functions=False, comments=False)
        + ";"
    )
