"""Columns in the form in which the native parser is told them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from glue_jobs.schema.paths import ITEMS, VALUES, member_path
from glue_jobs.schema.types import ColumnType, Kind, TimestampSource, struct_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# As in source/columns.h.
_KINDS: Final = {kind: number for number, kind in enumerate(Kind)}
_SOURCES: Final = {source: number for number, source in enumerate(TimestampSource)}
_FINAL: Final = 1
_OPEN: Final = 2


class Description:
    """The columns as source/library.cpp reads them, and the path of each place by its number.

    Args:
        types: the columns, in order.
        settled: those that never change; a place is final where it has the same type there.
        accepts_new: whether objects may gain members.
        closed: (path of the object, name) of those that never become members.

    Attributes:
        written: the bytes.
        paths: of the places, in order.
        tops: the name of the column that each place is in; empty for the record itself.
    """

    def __init__(
        self,
        types: Mapping[str, ColumnType],
        settled: Mapping[str, ColumnType],
        accepts_new: bool,
        closed: Collection[tuple[str, str]],
    ) -> None:
        self.written = bytearray()
        self.paths: list[str] = []
        self.tops: list[str] = []
        self._accepts_new = accepts_new
        self._closed: dict[str, list[str]] = {}
        for parent, name in dict.fromkeys(closed):
            self._closed.setdefault(parent, []).append(name)
        self._add("", "", "", struct_of(dict(types)), struct_of(dict(settled)))

    def _add(self, name: str, path: str, top: str, column: ColumnType, settled: ColumnType | None) -> None:
        """Write a place and all inside it."""
        self.paths.append(path)
        self.tops.append(top)
        is_final = settled is not None and _is_same(column, settled)
        is_struct = column.kind is Kind.STRUCT
        flags = (_FINAL if is_final else 0) | (_OPEN if is_struct and self._accepts_new else 0)
        source = 0 if column.source is None else _SOURCES[column.source]
        self.written += struct.pack(
            "=5B3x", _KINDS[column.kind], flags, column.precision, column.scale, source
        )
        self._write(name)
        # Names that have no UTF-8 are never looked up.
        names = self._closed.get(path, ()) if is_struct else ()
        closed = [one.encode(errors="surrogatepass") for one in names]
        self.written += struct.pack("=I", len(closed))
        for one in closed:
            self.written += struct.pack("=I", len(one)) + one
        inner = settled if is_final else None
        if column.item is not None:
            self.written += struct.pack("=I", 1)
            item_path = path + (ITEMS if column.kind is Kind.LIST else VALUES)
            self._add("", item_path, top, column.item, None if inner is None else inner.item)
            return
        self.written += struct.pack("=I", len(column.members))
        for member, kind in column.members:
            found = None if inner is None else inner.by_name.get(member)
            self._add(member, member_path(path, member), top or member, kind, found)

    def _write(self, name: str) -> None:
        encoded = name.encode()
        self.written += struct.pack("=I", len(encoded)) + encoded


def _is_same(one: ColumnType, other: ColumnType) -> bool:
    """Return whether two places hold the same, whatever is inside them."""
    return (one.kind, one.precision, one.scale, one.source) == (
        other.kind,
        other.precision,
        other.scale,
        other.source,
    )
