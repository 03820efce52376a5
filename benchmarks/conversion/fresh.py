"""The job against Spark's own reader, each in a fresh Spark: `python -m benchmarks.conversion.fresh --help`.

A Glue run starts a JVM, converts once and ends, so nothing in it is warm. Spark's start is measured apart:
its context is up, and each core has run one empty Python task. Spark's own reader needs no Python, so its
time is also held against the job's with that first task added.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession

from benchmarks.conversion import engines, inputs
from glue_jobs.spark import start_spark

if TYPE_CHECKING:
    from collections.abc import Sequence

JOB = "the job"
INFERENCE = "Spark with inference"
SCHEMA = "Spark with a schema"
_SUBMIT_ARGUMENTS = "--master local[2] --driver-memory 2g --conf spark.ui.enabled=false pyspark-shell"


@dataclass(frozen=True)
class Seconds:
    """Of one process.

    Attributes:
        first_task: of an empty Python task on each core.
        work: of the conversion after it.
    """

    first_task: float
    work: float


def main() -> None:
    """Measure in turns, and print medians of the pairs' ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs per reader")
    parser.add_argument("--files", type=int, nargs="*", default=[10, 100], help="generated files a set")
    parser.add_argument("--data", type=Path, default=inputs.real_data_folder(), help="has dns.json.gz")
    parser.add_argument("--once", nargs=2, metavar=("ENGINE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once is not None:
        engine, folder = arguments.once
        seconds = _work(engine, Path(folder))
        sys.stdout.write(f"{seconds.first_task} {seconds.work}\n")
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for count in arguments.files:
            paths = inputs.write_generated(root / f"in{count}", count)
            _measure(f"{count} files", paths, arguments.rounds)
        if arguments.data is not None:
            paths = inputs.write_real(root / "dns", arguments.data, 300 * inputs.MB)
            _measure("dns log", paths, arguments.rounds)


def _measure(name: str, paths: Sequence[Path], rounds: int) -> None:
    size = sum(path.stat().st_size for path in paths) / inputs.MB
    print(f"{name}, {size:.0f} MB")
    jobs: list[Seconds] = []
    for other in (INFERENCE, SCHEMA):
        pairs: list[tuple[Seconds, Seconds]] = []
        for number in range(rounds):
            pair = (JOB, other) if number % 2 else (other, JOB)
            seconds = {engine: _in_fresh_process(engine, paths[0].parent) for engine in pair}
            pairs.append((seconds[JOB], seconds[other]))
        jobs += [job for job, _ in pairs]
        ratios = [reader.work / job.work for job, reader in pairs]
        with_start = statistics.median(reader.work / (job.first_task + job.work) for job, reader in pairs)
        print(
            f"  {other}: {statistics.median(reader.work for _, reader in pairs):.2f} s, "
            f"{statistics.median(ratios):.2f} times the job ({min(ratios):.2f} to {max(ratios):.2f}); "
            f"{with_start:.2f} times the job and the first Python task"
        )
    times = [job.work for job in jobs]
    print(
        f"  {JOB}: {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f}); "
        f"the first Python task before it {statistics.median(job.first_task for job in jobs):.2f} s"
    )


def _in_fresh_process(engine: str, folder: Path) -> Seconds:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.conversion.fresh", "--once", engine, str(folder)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYSPARK_SUBMIT_ARGS": _SUBMIT_ARGUMENTS},
    )
    return Seconds(*map(float, done.stdout.splitlines()[-1].split()))


def _work(engine: str, folder: Path) -> Seconds:
    """Start Spark, convert a folder's files, and return what both took."""
    paths = sorted(folder.iterdir())
    schema = _schema_of(paths[0]) if engine == SCHEMA else None
    context = start_spark("benchmark")
    context.setLogLevel("ERROR")
    session: Any = SparkSession(context)
    cores = context.defaultParallelism
    started = time.perf_counter()
    context.parallelize(range(cores), cores).map(lambda number: number).collect()
    ready = time.perf_counter()
    with engines.quiet():
        if engine == JOB:
            engines.convert_with_the_job(context, folder.parent, paths)
        else:
            engines.convert_with_spark(session, folder.parent, paths, schema)
    done = time.perf_counter()
    context.stop()
    return Seconds(ready - started, done - ready)


def _schema_of(path: Path) -> Any:
    """Return what Spark would infer of a file, without warming Spark up by asking it."""
    from pyspark.sql import types  # noqa: PLC0415 - needed by one engine alone

    with path.open() as file:
        lines = [json.loads(line) for line in file]
    members: dict[str, Any] = {}
    for record in lines:
        for name, value in record.items():
            members.setdefault(name, _type_of(value))
    return types.StructType([types.StructField(name, members[name]) for name in sorted(members)])


def _type_of(value: Any) -> Any:
    from pyspark.sql import types  # noqa: PLC0415 - as above

    if isinstance(value, dict):
        return types.StructType([types.StructField(name, _type_of(item)) for name, item in value.items()])
    if isinstance(value, list):
        return types.ArrayType(_type_of(value[0]) if value else types.StringType())
    scalars = {
        bool: types.BooleanType(),
        int: types.LongType(),
        float: types.DoubleType(),
    }
    return scalars.get(type(value), types.StringType())


if __name__ == "__main__":
    main()
