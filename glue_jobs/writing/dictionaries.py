"""Which columns of a Parquet file get a dictionary, by a sample of its first rows.

A dictionary makes a column small whose values repeat, and costs the time of looking each value up. Where few
repeat, the time is lost: the dictionary outgrows its page, and the values are written plain after all.

The rule: a leaf gets one where at most one in six of its values is another one than before, and where the
dictionary fits its page. How many different ones there are is estimated from a sample of the first row group,
so it follows from the data alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

# Arrow's default for the page of a dictionary.
_PAGE_BYTES: Final = 1_048_576
_MOST_DISTINCT_SHARE: Final = 1 / 6
# Rows of the sample: enough to tell one in six of a row group of a million from all of them.
_SLICES: Final = 8
_SLICE_ROWS: Final = 512
_HALVINGS: Final = 60


def leaves_with_dictionary(table: pa.Table) -> list[str]:
    """Return the paths of the leaves that get a dictionary, as Parquet names them.

    Args:
        table: the first row group.
    """
    sample = _sample(table)
    if not sample.num_rows:
        return []
    times = table.num_rows / sample.num_rows
    return [
        path
        for name, column in zip(sample.column_names, sample.columns, strict=True)
        for path, values in _leaves(name, column.combine_chunks())
        if _repeats(values, times)
    ]


def estimated_distinct(sampled: int, distinct: int) -> float:
    """Return how many different values there are, of which so many were found among so many.

    It takes them for equally frequent: of D, a sample of n shows D (1 - e^(-n/D)). Infinite where all of the
    sample differ.
    """
    if distinct >= sampled:
        return math.inf
    low, high = math.log(max(distinct, 1)), math.log(2.0 * sampled * sampled)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        count = math.exp(middle)
        if count * -math.expm1(-sampled / count) < distinct:
            low = middle
        else:
            high = middle
    return math.exp(low)


def _sample(table: pa.Table) -> pa.Table:
    rows = table.num_rows
    if rows <= _SLICES * _SLICE_ROWS:
        return table.combine_chunks()
    starts = [number * (rows - _SLICE_ROWS) // (_SLICES - 1) for number in range(_SLICES)]
    return pa.concat_tables([table.slice(start, _SLICE_ROWS) for start in starts]).combine_chunks()


def _leaves(path: str, values: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    data_type = values.type
    if pa.types.is_struct(data_type):
        for member, inner in zip(data_type, values.flatten(), strict=True):
            yield from _leaves(f"{path}.{member.name}", inner)
    elif pa.types.is_map(data_type):
        yield from _leaves(f"{path}.key_value.key", values.keys)
        yield from _leaves(f"{path}.key_value.value", values.items)
    elif pa.types.is_list(data_type):
        yield from _leaves(f"{path}.list.element", values.flatten())
    else:
        yield path, values


def _repeats(values: pa.Array, times: float) -> bool:
    """Return whether a dictionary is worth its time.

    Args:
        values: of the sample.
        times: how many times as large as the sample the row group is.
    """
    if pa.types.is_dictionary(values.type):
        return True
    sampled = len(values) - values.null_count
    if pa.types.is_boolean(values.type) or not sampled:
        return False
    distinct = pc.count_distinct(values).as_py()
    all_distinct = distinct if times <= 1 else min(estimated_distinct(sampled, distinct), sampled * times)
    width = values.nbytes / sampled
    return bool(
        all_distinct <= _MOST_DISTINCT_SHARE * sampled * times and all_distinct * width <= _PAGE_BYTES
    )
