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


def _scan(path: Path) -> object:
    data = path.read_bytes()
    return pj.read_json(
        pa.BufferReader(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(explicit_schema=pa.schema([]), unexpected_field_behavior="ignore"),
    )


if __name__ == "__main__":
    main()
