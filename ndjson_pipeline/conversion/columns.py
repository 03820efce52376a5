"""The Columns tab of `merged_parquet`: the schema contract as Dagster's table schema."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from glue_jobs.schema.contract import SchemaContract
    from glue_jobs.schema.types import ColumnType

# Each materialization keeps them; of a wider dataset the contract itself has the rest.
MOST_COLUMNS = 1_000
PARTITION_KEY = "dt"
_LONGEST_NAME = 200
_LONGEST_TEXT = 300
# How the input writes an instant, by the source's name in the contract.
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds"}
# The UI reads descriptions as Markdown, which takes the `<` of a type for HTML.
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~])")


def table_schema(contract: "SchemaContract") -> dg.TableSchema:
    """Return a dataset's columns, members of objects in rows of their own below them; pure.

    A member is named by its path, such as `user.tags[].price`, as reports and `schema set` name it.

    Args:
        contract: the dataset's.
    """
    history = _History(contract)
    rows = [row for name, found in contract.types.items() for row in _rows(_path("", name), found, history)]
    own = _own_columns(contract.has_rescued, taken={name.lower() for name in contract.types})
    left = len(rows) - MOST_COLUMNS
    more = [f"and {left:,} more columns and members, in the schema contract"] if left > 0 else []
    return dg.TableSchema(
        columns=[*rows[:MOST_COLUMNS], *own], constraints=dg.TableConstraints(other=more) if more else None
    )


def type_name(column: "ColumnType") -> str:
    """Return a type as a query names it, without the members of its objects: `list<struct>`."""
    from glue_jobs.schema.hints import type_text  # noqa: PLC0415 - as the contract's reader has it
    from glue_jobs.schema.types import Kind  # noqa: PLC0415

    match column.kind:
        case Kind.STRUCT:
            return "struct"
        case Kind.TIMESTAMP:
            return "timestamp"
        case Kind.JSON:
            return "string"
    if column.item is not None:
        inner = type_name(column.item)
        return f"list<{inner}>" if column.kind is Kind.LIST else f"map<string,{inner}>"
    return type_text(column)


def first_columns(contract: "SchemaContract") -> frozenset[str]:
    """Return the paths that came with the dataset's very first records; pure."""
    first = next((entry for entry in contract.history if "added" in entry), None)
    return frozenset(map(printable, first["added"])) if first is not None else frozenset()


class _History:
    """What a contract's history and hints say of its places.

    Args:
        contract: the dataset's.
    """

    def __init__(self, contract: "SchemaContract") -> None:
        self._hints = contract.hints
        self._came: dict[str, str] = {}
        self._changed: dict[str, str] = {}
        is_first = True
        for entry in contract.history:
            day = str(entry.get("written_at", ""))[:10]
            if "added" in entry:
                if not is_first:
                    self._came |= dict.fromkeys(entry["added"], f"Since {day} (version {entry['version']}).")
                is_first = False
            else:
                # The newest of a place counts.
                self._changed[entry["path"]] = (
                    f"Changed by hand on {day}, {_plain(entry['change'])}: {_plain(entry['reason'])} "
                    f"({_plain(entry['by'])})."
                )

    def of(self, path: str) -> list[str]:
        """Return sentences about a place."""
        declared = self._hints.get(path)
        told = [
            self._changed.get(path),
            f"Declared as {_plain(declared)}." if declared and path not in self._changed else None,
            self._came.get(path),
        ]
        return [each for each in told if each]


def _rows(path: str, column: "ColumnType", history: _History) -> Iterator[dg.TableColumn]:
    """Yield the row of a place, and of what lies in it."""
    from glue_jobs.schema.types import Kind  # noqa: PLC0415 - as above

    notes = ["JSON text"] if column.kind is Kind.JSON else []
    notes += ["UTC"] if column.kind is Kind.TIMESTAMP else []
    sentences = history.of(path)
    unit = _UNITS.get(column.source.value) if column.source is not None else None
    if unit is not None:
        sentences.append(f"The input has {unit} since 1970.")
    # Of a list of lists only what holds objects is a row of its own.
    inner, steps = column, path
    while inner.item is not None:
        steps += "[]" if inner.kind is Kind.LIST else "{}"
        sentences += history.of(steps)
        inner = inner.item
    yield dg.TableColumn(
        printable(path, _LONGEST_NAME),
        type_name(column),
        description=" ".join(sentences) or None,
        constraints=dg.TableColumnConstraints(other=notes),
    )
    for name, member in inner.members:
        yield from _rows(_path(steps, name), member, history)


def _own_columns(has_rescued: bool, taken: set[str]) -> list[dg.TableColumn]:
    """Return the columns that the job adds, and the table's partition key."""
    required = dg.TableColumnConstraints(nullable=False)
    own = [
        dg.TableColumn(
            "_processing_timestamp",
            "timestamp",
            description="When the row was converted.",
            constraints=dg.TableColumnConstraints(nullable=False, other=["UTC"]),
        ),
        dg.TableColumn(
            "_source_file",
            "string",
            description="The S3 URI of the file that the row came from.",
            constraints=required,
        ),
    ]
    if has_rescued:
        own.append(
            dg.TableColumn(
                "_rescued",
                "string",
                description="What of the record does not fit its column; null where all fits.",
                constraints=dg.TableColumnConstraints(other=["JSON text"]),
            )
        )
    if PARTITION_KEY not in taken:
        own.append(
            dg.TableColumn(
                PARTITION_KEY,
                "string",
                description="The UTC date, in the Data Catalog's table alone; give it a bound in each query.",
                constraints=dg.TableColumnConstraints(nullable=False, other=["partition key"]),
            )
        )
    return own


def _path(parent: str, name: str) -> str:
    from glue_jobs.schema.paths import member_path  # noqa: PLC0415 - as above

    return member_path(parent, name)


def _plain(text: object) -> str:
    """Return text that Markdown shows as it is."""
    return _MARKDOWN.sub(r"\\\1", printable(str(text), _LONGEST_TEXT))
