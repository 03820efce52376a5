"""Arrow's JSON parser for records that fit their columns as they stand, without its surprises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from glue_jobs.schema.fit import has_odd_doubles
from glue_jobs.schema.scalars import Fraction, double_problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Fewer signs, the point included, have no more than 15 digits, which every double gives back.
_LONG: Final = 17


def read_fitting(data: bytes, schema: pa.Schema) -> pa.Table | None:
    """Read a block of records.

    No type is ever inferred, so that names which are data never become columns on the way, text that looks
    like timestamps stays text, and lists keep the nulls that they begin with (apache/arrow 47417, 51305).

    Args:
        data: whole lines.
        schema: columns of plain types; names that may only have nulls have the type null.

    Returns:
        The table; None where the parser refuses it, where a name is unknown, or where a double may not be
        the number that was written.
    """
    try:
        table = pj.read_json(
            pa.BufferReader(data),
            # One block, so that no line is ever cut; one thread, since Spark fills the cores.
            read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        )
    except pa.ArrowInvalid:
        return None
    if any(_has_doubles(field.type) for field in schema) and (has_odd_doubles(table) or has_inexact(data)):
        return None
    return table


def has_inexact(data: bytes) -> bool:
    """Return whether there seems to be a number with a fraction or exponent that no double gives back.

    Arrow rounds such numbers without a word. What looks like a number inside text may be taken for one.

    Args:
        data: lines of JSON; the first sign begins no number.
    """
    texts = [text for text in _long_numbers(data) if b"." in text or b"e" in text or b"E" in text]
    if not texts:
        return False
    written = pa.array([text.decode("ascii") for text in texts], pa.string())
    try:
        # Most are as short as the double is printed, and need not be looked at one by one.
        printed = written.cast(pa.float64()).cast(pa.string())
    except pa.ArrowInvalid:
        return True
    odd = written.filter(pc.not_equal(written, printed)).to_pylist()
    return any(not _is_number(text) or double_problem(Fraction(text)) is not None for text in odd)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _long_numbers(data: bytes) -> list[bytes]:
    """Return what stands where numbers stand, and is long or has an exponent."""
    signs = np.frombuffer(data, np.uint8)
    starts = np.flatnonzero(_BEFORE[signs[:-1]] & _FIRST[signs[1:]]) + 1
    if not len(starts):
        return []
    parts = _PARTS[signs]
    ends = np.flatnonzero(parts[:-1] & ~parts[1:]) + 1
    # Each start lies in the run that ends next; the last may go to the end of the data.
    ends = np.append(ends, len(data))[np.searchsorted(ends, starts, side="right")]
    exponents = np.flatnonzero(_EXPONENT[signs])
    has_exponent = np.searchsorted(exponents, starts) < np.searchsorted(exponents, ends)
    wanted = np.flatnonzero((ends - starts >= _LONG) | has_exponent)
    return [
        data[start:end] for start, end in zip(starts[wanted].tolist(), ends[wanted].tolist(), strict=True)
    ]


def _has_doubles(data_type: pa.DataType) -> bool:
    return pa.types.is_floating(data_type) or any(
        _has_doubles(data_type.field(index).type) for index in range(data_type.num_fields)
    )


def _table_of(signs: bytes) -> NDArray[np.bool_]:
    table = np.zeros(256, np.bool_)
    table[list(signs)] = True
    return table


_BEFORE: Final = _table_of(b":,[ \t")
_FIRST: Final = _table_of(b"-0123456789")
_PARTS: Final = _table_of(b"-+.0123456789eE")
_EXPONENT: Final = _table_of(b"eE")
