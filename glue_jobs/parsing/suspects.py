"""Lines of a segment that may be at fault, found without judging each alone."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from glue_jobs.parsing.arrow_json import check_block
from glue_jobs.parsing.records import SHALLOW_BYTES, is_too_deep
from glue_jobs.reading.lines import is_utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

_WINDOW_BYTES: Final = 131_072
_FEW: Final = 30
_DENSE: Final = 20
_OPENING: Final = ord("{")
_CLOSING: Final = ord("}")
_TWO_OBJECTS: Final = re.compile(rb"\}[ \t\r]*\{")
# What JSON lacks, and whole numbers that a double may have rounded.
_ODD_NUMBER: Final = re.compile(rb"NaN|Inf|[:,\[ \t]-?\d{16,}(?![\d.eE])")


def misshapen_rows(texts: Sequence[bytes]) -> list[int]:
    """Return the lines that are seen not to hold one object."""
    whole = b"\n".join(texts)
    found = {row for row, text in enumerate(texts) if text[0] != _OPENING or text[-1] != _CLOSING}
    found.update(_matching_rows(_TWO_OBJECTS, whole, texts))
    if max(map(len, texts)) >= SHALLOW_BYTES:
        found.update(
            row for row, text in enumerate(texts) if len(text) >= SHALLOW_BYTES and is_too_deep(text)
        )
    if not is_utf8(whole):
        found.update(row for row, text in enumerate(texts) if not is_utf8(text))
    return sorted(found)


def odd_number_rows(texts: Sequence[bytes]) -> list[int]:
    """Return the lines with numbers that JSON lacks, or that a double may have rounded."""
    return _matching_rows(_ODD_NUMBER, b"\n".join(texts), texts)


def clashing_rows(texts: Sequence[bytes], name: str, wanted: pa.DataType) -> list[int]:
    """Return the lines that seem to have a value of another kind than its column's.

    Args:
        texts: of which Arrow refuses the first for such a value.
        name: of the column.
        wanted: its type.

    Returns:
        Their rows; none where the first is not among them, or they are many.
    """
    rows = _matching_rows(_clash_pattern(name, wanted), b"\n".join(texts), texts)
    return rows if rows[:1] == [0] and len(rows) < _FEW + len(texts) // _DENSE else []


def refused_rows(texts: Sequence[bytes], expected: pa.Schema) -> list[int]:
    """Return the lines that Arrow refuses.

    Args:
        texts: of one object each, as far as is seen.
        expected: columns whose types may clash.

    Returns:
        Their rows; where they are many, all that follow too, since judging each alone is faster then.
    """
    refused: list[int] = []
    start = 0
    while start < len(texts):
        end, size = start, 0
        while end < len(texts) and size < _WINDOW_BYTES:
            size += len(texts[end]) + 1
            end += 1
        while start < end:
            refusal = check_block(b"\n".join(texts[start:end]), expected)
            if refusal is None:
                break
            if refusal.row is None or (len(refused) > _FEW and len(refused) * _DENSE > start):
                return [*refused, *range(start, len(texts))]
            refused.append(start + refusal.row)
            start += refusal.row + 1
        start = end
    return refused


def _matching_rows(pattern: re.Pattern[bytes], whole: bytes, texts: Sequence[bytes]) -> list[int]:
    """Return the lines in which a pattern is found.

    Args:
        pattern: matches within a line.
        whole: the lines joined by newlines, since one search over all of them is fastest.
        texts: the same lines.
    """
    rows: list[int] = []
    ends: list[int] = []
    start = 0
    while (match := pattern.search(whole, start)) is not None:
        ends = ends or list(accumulate(len(text) + 1 for text in texts))
        row = bisect_right(ends, match.start())
        rows.append(row)
        start = ends[row]
    return rows


def _clash_pattern(name: str, wanted: pa.DataType) -> re.Pattern[bytes]:
    """Return what finds members of that name with a value of another kind, and little besides."""
    if pa.types.is_int64(wanted) or pa.types.is_float64(wanted):
        expected = rb"0-9n\-"
    elif pa.types.is_string(wanted):
        expected = rb'"n'
    elif pa.types.is_boolean(wanted):
        expected = rb"tfn"
    else:
        expected = rb"\[n" if pa.types.is_list(wanted) else rb"{n"
    return re.compile(
        re.escape(json.dumps(name, ensure_ascii=False).encode()) + rb"[ \t]*:[ \t]*[^ \t" + expected + b"]"
    )
