"""The engines that are measured: each turns the same files into snappy Parquet."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import resource
import shutil
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from glue_jobs.manifests.agreement import agree
from glue_jobs.manifests.planning import part_count, share_files
from glue_jobs.manifests.work import ManifestWork
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.contract import SchemaContractStore
from glue_jobs.schema.limits import SchemaLimits
from glue_jobs.spark import SparkPartRunner
from glue_jobs.task import PartTask, convert_part
from glue_jobs.writing.encode import ROW_GROUP_BYTES
from lambda_ingest.contract.manifest import ManifestFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TARGET_BYTES = 128 * 1_048_576


class FolderClient:
    """An S3 client over a folder, since the others read local files too.

    Args:
        root: has a folder for each bucket.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def _path(self, bucket: str, key: str) -> Path:
        """Return where an object is written."""
        path = Path(self._root) / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def get_object(self, **request: Any) -> dict[str, Any]:
        """Read a file."""
        try:
            body = open(f"{self._root}/{request['Bucket']}/{request['Key']}", "rb")  # noqa: PTH123, SIM115
        except FileNotFoundError:
            from botocore.exceptions import ClientError  # noqa: PLC0415 - only for the first contract

            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject") from None
        return {"Body": body, "ETag": "e", "ContentLength": os.fstat(body.fileno()).st_size}

    def put_object(self, **request: Any) -> dict[str, Any]:
        """Write a file."""
        body = request["Body"]
        self._path(request["Bucket"], request["Key"]).write_bytes(body)
        return {"ETag": "e"}

    def create_multipart_upload(self, **_: Any) -> dict[str, Any]:
        """Begin a file."""
        name = uuid.uuid4().hex
        self._path("uploads", name).write_bytes(b"")
        return {"UploadId": name}

    def upload_part(self, **request: Any) -> dict[str, Any]:
        """Append to a file: parts come in order."""
        with self._path("uploads", request["UploadId"]).open("ab") as file:
            file.write(request["Body"])
        return {"ETag": "e"}

    def complete_multipart_upload(self, **request: Any) -> dict[str, Any]:
        """Give a file its name."""
        self._path("uploads", request["UploadId"]).rename(self._path(request["Bucket"], request["Key"]))
        return {"ETag": "e"}

    def abort_multipart_upload(self, **request: Any) -> dict[str, Any]:
        """Forget a file."""
        with contextlib.suppress(FileNotFoundError):
            self._path("uploads", request["UploadId"]).unlink()
        return {}


def task_of(paths: Sequence[Path], part: int = 0) -> PartTask:
    """Return a task over files of one folder, with nothing known of the dataset."""
    return _task(part, tuple(_listed(path) for path in paths))


def convert_alone(root: Path, paths: Sequence[Path], columns: Columns) -> tuple[float, float]:
    """Convert files as one task in a process of its own; return its seconds, and its peak in MB."""
    shutil.rmtree(root / "output", ignore_errors=True)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        # Imports are not the task's.
        pool.submit(arrow_schema_of, None).result()
        return pool.submit(_converted, str(root), replace(task_of(paths), settled=columns)).result()


def _converted(root: str, task: PartTask) -> tuple[float, float]:
    started = time.perf_counter()
    result = convert_part(task, FolderClient(root))  # type: ignore[arg-type]
    seconds = time.perf_counter() - started
    if result.error_message is not None:
        raise RuntimeError(result.error_message)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _listed(path: Path) -> ManifestFile:
    return ManifestFile(f"s3://{path.parent.name}/{path.name}", path.stat().st_size, "e")


def _task(part: int, files: tuple[ManifestFile, ...]) -> PartTask:
    return PartTask(
        "s3://m/1", part, files, "output", f"part-{part}.parquet", "snappy", datetime.now(UTC),
        Columns(), False, "quarantine", f"rejects-{part}.gz", None,
    )  # fmt: skip


def convert_with_the_job(context: Any, root: Path, paths: Sequence[Path]) -> dict[str, float]:
    """Convert as the job does from its tasks to visible output; return seconds of each step."""
    shutil.rmtree(root / "output", ignore_errors=True)
    shutil.rmtree(root / "manifests", ignore_errors=True)
    client: Any = FolderClient(str(root))
    files = [_listed(path) for path in paths]
    parts = part_count(sum(file.size_bytes for file in files), len(files), TARGET_BYTES)
    tasks = [_task(part, share) for part, share in enumerate(share_files(files, parts))]
    folder = str(root)
    runner = SparkPartRunner(context, print, lambda _: FolderClient(folder))  # type: ignore[arg-type, return-value]
    work = ManifestWork("s3://m/1")

    def run(wanted: list[PartTask]) -> None:
        for result in runner.run(wanted):
            if result.error_message is not None:
                raise RuntimeError(result.error_message)
            work.take(client, result)

    run(tasks)
    for result in work.results:
        work.observed.merge(result.observed)
    store = SchemaContractStore(client, "manifests", "output", "", lambda _: None)
    agree(store, [work], run, lambda: datetime.now(UTC), SchemaLimits())
    for result in work.results:
        if result.upload is not None:
            result.upload.complete(client)
    steps = ("read", "parse", "encode")
    return {step: sum(result.seconds[step] for result in work.results) for step in steps}


def convert_with_spark(session: Any, root: Path, paths: Sequence[Path], schema: Any) -> None:
    """Convert with Spark's own reader; without a schema it infers one."""
    reader = session.read if schema is None else session.read.schema(schema)
    frame = reader.json([str(path) for path in paths])
    frame.write.mode("overwrite").option("compression", "snappy").parquet(str(root / "spark"))


def convert_with_duckdb(root: Path, paths: Sequence[Path]) -> None:
    """Convert with DuckDB, on both cores."""
    import duckdb  # noqa: PLC0415 - needed by this engine alone

    listed = ", ".join(f"'{path}'" for path in paths)
    with duckdb.connect() as connection:
        connection.execute("set threads = 2")
        connection.execute(
            f"copy (select * from read_json([{listed}], format = 'newline_delimited', filename = true)) "
            f"to '{root / 'duckdb.parquet'}' (format parquet, compression snappy)"
        )


@contextlib.contextmanager
def bare_arrow() -> Iterator[Callable[[Path, Sequence[Path]], None]]:
    """Run two processes of Arrow, and return what converts with them; nothing but parsing and encoding.

    No line is counted, no value held against a column, nothing learned: no job on Arrow can be faster.
    """
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(arrow_schema_of, [None, None]))

        def convert(root: Path, paths: Sequence[Path]) -> None:
            schema = arrow_schema_of(paths[0])
            outputs = [root / "arrow-0.parquet", root / "arrow-1.parquet"]
            list(pool.map(_parse_and_encode, [paths[::2], paths[1::2]], outputs, [schema, schema]))

        yield convert


def _parse_and_encode(paths: Sequence[Path], output: Path, schema: pa.Schema) -> None:
    waiting: list[pa.Table] = []
    with pq.ParquetWriter(output, schema, compression="snappy", store_schema=False) as writer:
        for path in paths:
            waiting.append(read_with(path, schema))
            if sum(table.nbytes for table in waiting) >= ROW_GROUP_BYTES or path == paths[-1]:
                table = pa.concat_tables(waiting)
                writer.write_table(table, row_group_size=table.num_rows)
                waiting = []


def arrow_schema_of(path: Path | None) -> pa.Schema:
    """Return what Arrow infers of a file, with text as text; without one wait for a process."""
    if path is None:
        time.sleep(0.2)
        return pa.schema([])
    inferred = read_with(path, pa.schema([])).schema
    return pa.schema(
        [
            (column.name, pa.string() if pa.types.is_timestamp(column.type) else column.type)
            for column in inferred
        ]
    )


def read_with(path: Path, schema: pa.Schema) -> pa.Table:
    """Parse a file with Arrow on one core; fields beyond the schema are inferred where it is empty."""
    data = path.read_bytes()
    table = pj.read_json(
        pa.BufferReader(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(explicit_schema=schema or None),
    )
    return table.select(schema.names) if len(schema) else table


def polars_engine() -> Callable[[Path, Sequence[Path]], None] | None:
    """Return what converts with Polars; None where it is not installed."""
    try:
        import polars  # noqa: PLC0415 - needed by this engine alone
    except ImportError:
        return None

    def convert(root: Path, paths: Sequence[Path]) -> None:
        frame = polars.scan_ndjson(list(paths), include_file_paths="_source_file")
        frame.sink_parquet(root / "polars.parquet", compression="snappy")

    return convert


def workers_peak_mb() -> float:
    """Return the most memory that one Spark worker of this process has held so far, in MB; Linux alone."""
    parents: dict[int, int] = {}
    peaks: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        parents[int(folder.name)] = int(fields["PPid"])
        if fields["Name"].strip().startswith("python"):
            peaks[int(folder.name)] = int(fields.get("VmHWM", "0 kB").split()[0]) / 1024
    below = {os.getpid()}
    while found := {process for process, parent in parents.items() if parent in below} - below:
        below |= found
    return max((peak for process, peak in peaks.items() if process in below - {os.getpid()}), default=0.0)


def output_bytes(path: Path) -> int:
    """Return the size of a file, or of a folder's Parquet files."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*.parquet"))


def quiet() -> contextlib.redirect_stdout[io.StringIO]:
    """Return a block in which nothing is printed."""
    return contextlib.redirect_stdout(io.StringIO())
