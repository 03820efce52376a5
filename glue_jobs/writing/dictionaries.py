"""Which columns of a Parquet file get a dictionary, by a sample of its first rows.

A dictionary makes a column small whose values repeat, and costs the time of looking each value up. Where few
repeat, the time is lost: the dictionary outgrows its page, and the values are written plain after all.

The rule: a leaf gets one where at most one in six of its values is another one than before and they are few
enough to be looked up quickly, or where it saves eight bytes a value, as it does where long texts come three
times each; and where the dictionary fits its page. How many different ones there are is estimated from a few
thousand rows of the first row group, so it follows from the data alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Four times Arrow's default: a log of 150,000 rows has so many instants, and texts of 30 bytes for them.
PAGE_BYTES: Final = 4 * 1_048_576
_MOST_DISTINCT_SHARE: Final = 1 / 6
# Of 100,000 doubles each look-up misses the processor's cache: 17 % more time for 8 % fewer bytes.
_MOST_QUICK: Final = 32_768
_LEAST_SAVED_BYTES: Final = 8
# Rows of the sample: enough to tell one in six of a million rows from all of them. Each lies anywhere:
# what comes again far behind is not seen by looking at neighbours.
_SAMPLE_ROWS: Final = 4_096
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
    if rows <= _SAMPLE_ROWS:
        return table.combine_chunks()
    return table.take(pa.array(_places(rows))).combine_chunks()


def _places(rows: int) -> NDArray[np.int64]:
    """Return places of rows, in order, as if drawn with replacement; the same for the same number of rows."""
    # SplitMix64: the same in every version of every library.
    mixed = np.arange(1, _SAMPLE_ROWS + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return np.sort(mixed % np.uint64(rows)).astype(np.int64)


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
    count = sampled * times
    all_distinct = distinct if times <= 1 else min(estimated_distinct(sampled, distinct), count)
    width = values.nbytes / sampled
    dictionary = all_distinct * width
    if dictionary > PAGE_BYTES:
        return False
    saved = width - (dictionary / count + math.log2(max(all_distinct, 1)) / 8)
    is_quick = all_distinct <= min(_MOST_DISTINCT_SHARE * count, _MOST_QUICK)
    return bool(is_quick or saved >= _LEAST_SAVED_BYTES)
