"""What parsing alone costs, by parser, on one core: `python -m benchmarks.conversion.parsers --help`.

Each is told the types, and reads the same generated files of 3.5 MB into memory, in turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.json as pj

from benchmarks.conversion import engines, inputs
from glue_jobs.native.builder import NativeBuilder
from glue_jobs.schema.types import BOOLEAN, FLOAT64, INT64, STRING, ColumnType, list_of, struct_of
from glue_jobs.writing.encode import ROW_GROUP_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Measure, and print the median of each parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="files that each parser reads")
    arguments = parser.parse_args()
    # Read when Polars is imported.
    os.environ["POLARS_MAX_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        paths = inputs.write_generated(Path(folder), 4)
        parsers = _parsers(engines.arrow_schema_of(paths[0]))
        seconds: dict[str, list[float]] = {name: [] for name in parsers}
        for number in range(arguments.rounds):
            for name, parse in parsers.items():
                started = time.perf_counter()
                parse(paths[number % len(paths)])
                seconds[name].append(time.perf_counter() - started)
    for name, times in seconds.items():
        print(f"{name:36} {1000 * statistics.median(times):5.1f} ms a file of 3.5 MB")


def _parsers(schema: pa.Schema) -> dict[str, Callable[[Path], object]]:
    import duckdb  # noqa: PLC0415 - needed by this parser alone

    parsers: dict[str, Callable[[Path], object]] = {
        "the native parser": _native(schema),
        "Arrow": lambda path: engines.read_with(path, schema),
        "Arrow, looking at no field": _scan,
    }
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    connection.register("known", schema.empty_table())
    described = connection.execute("describe known").fetchall()
    columns = ", ".join(f"'{name}': '{data_type}'" for name, data_type, *_ in described)
    parsers["DuckDB"] = lambda path: connection.sql(
        f"select * from read_json('{path}', format = 'newline_delimited', columns = {{{columns}}})"
    ).to_arrow_table()
    try:
        import polars  # noqa: PLC0415 - needed by this parser alone
    except ImportError:
        return parsers
    known = polars.DataFrame(polars.from_arrow(schema.empty_table())).schema
    parsers["Polars"] = lambda path: polars.read_ndjson(path, schema=known)
    return parsers


def _native(schema: pa.Schema) -> Callable[[Path], object]:
    """Return the job's own parser, whose builder lives for a row group."""
    types = {column.name: _column_type(column.type) for column in schema}
    builder = NativeBuilder(types, types, accepts_new=False)

    def parse(path: Path) -> object:
        builder.feed(path.read_bytes())
        return builder.take() if builder.size >= ROW_GROUP_BYTES else None

    return parse


def _column_type(data_type: pa.DataType) -> ColumnType:
    if pa.types.is_struct(data_type):
        return struct_of({member.name: _column_type(member.type) for member in data_type})
    if pa.types.is_list(data_type):
        return list_of(_column_type(data_type.value_type))
    found = {pa.int64(): INT64, pa.float64(): FLOAT64, pa.bool_(): BOOLEAN}
    return found.get(data_type, STRING)


def _scan(path: Path) -> object:
    data = path.read_bytes()
    return pj.read_json(
        pa.BufferReader(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(explicit_schema=pa.schema([]), unexpected_field_behavior="ignore"),
    )


if __name__ == "__main__":
    main()
