"""Measures the conversion against other engines: `python -m benchmarks.conversion --help`."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession

from benchmarks.conversion import engines, inputs
from glue_jobs.spark import start_spark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


# The most of DuckDB's time, and of the time on clean lines, that the job may take.
OF_DUCKDB = {"10 files": 0.90, "100 files": 0.50, "1000 files": 0.50, "dns log": 0.45}
OF_CLEAN = {0.01: 1.25, 0.1: 2.0}
OUTPUT_OF_DUCKDB = 1.05
SMALL_FILES, SMALL_SECONDS = 10_000, 2.0
WIDE_FILES, WIDE_COLUMNS, WIDE_SECONDS, WIDE_MB = 4_000, 2_000, 5.0, 1024


def main() -> None:
    """Measure, print a table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs per engine")
    parser.add_argument("--files", type=int, nargs="*", default=[10, 100], help="generated files a set")
    parser.add_argument("--data", type=Path, help="folder with dns.json.gz")
    parser.add_argument("--large", action="store_true", help="also 1,000 files, 3.5 GB")
    parser.add_argument("--without-spark-readers", action="store_true", help="leave Spark's readers out")
    parser.add_argument("--without-dirty", action="store_true", help="leave the dirty input out")
    parser.add_argument("--without-small", action="store_true", help="leave many small files out")
    parser.add_argument("--without-wide", action="store_true", help="leave many columns out")
    parser.add_argument("--out", type=Path, help="file for the figures, as JSON")
    arguments = parser.parse_args()
    os.environ.setdefault(
        "PYSPARK_SUBMIT_ARGS",
        "--master local[2] --driver-memory 2g --conf spark.ui.enabled=false pyspark-shell",
    )
    context = start_spark("benchmark")
    context.setLogLevel("ERROR")
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, engines.bare_arrow() as bare_arrow:
        for name, paths in _sets(Path(folder), arguments):
            figures[name] = _measure(context, bare_arrow, Path(folder), paths, arguments)
            _print(name, figures[name])
        if not arguments.without_dirty:
            for share, most in OF_CLEAN.items():
                name = f"{share:.0%} bad lines"
                figures[name] = _measure_dirty(context, Path(folder), share, arguments.rounds)
                _print(name, figures[name])
                clean = figures[name]["others"]["the job on clean lines"]["times_the_job"]
                print(f"  {1 / clean:.2f} of the time on clean lines (to reach: {most:.2f})")
        if not arguments.without_small:
            figures["small"] = _measure_small(context, Path(folder), arguments.rounds)
        if not arguments.without_wide:
            figures["wide"] = _measure_wide(Path(folder), arguments.rounds)
    context.stop()
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(figures, indent=1))


def _sets(folder: Path, arguments: argparse.Namespace) -> list[tuple[str, list[Path]]]:
    counts = [*arguments.files, *([1000] if arguments.large else [])]
    sets = [(f"{count} files", inputs.write_generated(folder / f"in{count}", count)) for count in counts]
    data = arguments.data or inputs.real_data_folder()
    if data is not None:
        sets.append(("dns log", inputs.write_real(folder / "dns", data, 300 * inputs.MB)))
    return sets


def _measure(
    context: Any,
    bare_arrow: Callable[[Path, Sequence[Path]], None],
    root: Path,
    paths: Sequence[Path],
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    session = SparkSession(context)
    schema = session.read.json(str(paths[0])).schema
    steps: dict[str, float] = {}

    def job() -> None:
        steps.update(engines.convert_with_the_job(context, root, paths))

    others: dict[str, Callable[[], object]] = {
        "DuckDB": lambda: engines.convert_with_duckdb(root, paths),
        "Arrow alone": lambda: bare_arrow(root, paths),
    }
    polars = engines.polars_engine()
    if polars is not None:
        others["Polars"] = lambda: polars(root, paths)
    if not arguments.without_spark_readers:
        others["Spark with inference"] = lambda: engines.convert_with_spark(session, root, paths, None)
        others["Spark with a schema"] = lambda: engines.convert_with_spark(session, root, paths, schema)
    _seconds(job)
    result = _compare(job, others, arguments.rounds)
    result["input_mb"] = sum(path.stat().st_size for path in paths) / inputs.MB
    result["steps"] = steps
    result["peak_mb"] = engines.workers_peak_mb()
    result["output_to_duckdb"] = engines.output_bytes(root / "output") / engines.output_bytes(
        root / "duckdb.parquet"
    )
    return result


def _measure_dirty(context: Any, root: Path, share: float, rounds: int) -> dict[str, Any]:
    clean = inputs.write_generated(root / "clean", 30)
    dirty = inputs.write_generated(root / f"dirty-{share}", 30, bad_share=share)
    return _compare(
        lambda: engines.convert_with_the_job(context, root, dirty),
        {"the job on clean lines": lambda: engines.convert_with_the_job(context, root, clean)},
        rounds,
    )


def _measure_small(context: Any, root: Path, rounds: int) -> dict[str, Any]:
    paths = inputs.write_small(root / "small", SMALL_FILES)
    times = [_seconds(lambda: engines.convert_with_the_job(context, root, paths)) for _ in range(rounds + 1)]
    # The first run warms the workers up.
    seconds = statistics.median(times[1:])
    print(f"{SMALL_FILES:,} files of 3 KB: the job {seconds:.2f} s (to reach: {SMALL_SECONDS:.2f})")
    return {"seconds": seconds, "times": times}


def _measure_wide(root: Path, rounds: int) -> dict[str, Any]:
    paths = inputs.write_wide(root / "wide", WIDE_FILES, WIDE_COLUMNS)
    runs = [engines.convert_alone(root, paths, inputs.wide_columns(WIDE_COLUMNS)) for _ in range(rounds)]
    seconds, peak = (statistics.median(figures) for figures in zip(*runs, strict=True))
    print(
        f"{WIDE_FILES:,} files under {WIDE_COLUMNS:,} columns: one task {seconds:.2f} s (to reach: "
        f"{WIDE_SECONDS:.2f}), peak {peak:.0f} MB (to reach: {WIDE_MB})"
    )
    return {"seconds": seconds, "peak_mb": peak}


def _compare(
    job: Callable[[], object], others: dict[str, Callable[[], object]], rounds: int
) -> dict[str, Any]:
    """Run the job and each other engine in turns; return medians, and medians of their ratios."""
    times: list[float] = []
    engine_times: dict[str, list[float]] = {name: [] for name in others}
    ratios: dict[str, list[float]] = {name: [] for name in others}
    for number in range(rounds):
        for name, other in others.items():
            # Who goes first changes each time, so that neither has the warmer machine.
            pair = (job, other) if number % 2 else (other, job)
            seconds = {work: _seconds(work) for work in pair}
            times.append(seconds[job])
            engine_times[name].append(seconds[other])
            ratios[name].append(seconds[other] / seconds[job])
    return {
        "seconds": statistics.median(times),
        "slowest": max(times),
        "fastest": min(times),
        "others": {
            name: {
                "seconds": statistics.median(engine_times[name]),
                "times_the_job": statistics.median(ratios[name]),
                "range": [min(ratios[name]), max(ratios[name])],
            }
            for name in others
        },
    }


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    with engines.quiet():
        work()
    return time.perf_counter() - started


def _print(name: str, result: dict[str, Any]) -> None:
    print(f"{name}: the job {result['seconds']:.2f} s ({result['fastest']:.2f} to {result['slowest']:.2f})")
    if "input_mb" in result:
        shares = ", ".join(f"{step} {seconds:.2f}" for step, seconds in result["steps"].items())
        print(
            f"  {result['input_mb']:.0f} MB, {result['input_mb'] / result['seconds']:.0f} MB/s; seconds over "
            f"all tasks: {shares}; output {result['output_to_duckdb']:.2f} of DuckDB's (to reach: "
            f"{OUTPUT_OF_DUCKDB:.2f}); "
            f"a worker's peak so far {result['peak_mb']:.0f} MB"
        )
    for other, figures in result["others"].items():
        low, high = figures["range"]
        print(
            f"  {other}: {figures['seconds']:.2f} s, {figures['times_the_job']:.2f} times the job "
            f"({low:.2f} to {high:.2f})"
        )
    if "DuckDB" in result["others"]:
        share = 1 / result["others"]["DuckDB"]["times_the_job"]
        print(f"  {share:.2f} of DuckDB's time (to reach: {OF_DUCKDB.get(name, 'none set')})")


if __name__ == "__main__":
    main()
