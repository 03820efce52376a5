"""What did not fit its column in a date: counts of its Glue runs, and samples of its Parquet."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from glue_jobs.parsing.records import NotARecordError, dump, load_record
from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.paths import ITEMS, VALUES, steps_of
from glue_jobs.schema.split import split_record
from glue_jobs.schema.types import ColumnType, Kind
from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.records import BYTES_PER_MB, ManifestStatus
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.desk.aws_errors import is_absent
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.output.files import ParquetFile, output_files
from ndjson_pipeline.desk.output.parquet_ranges import RangeFile
from ndjson_pipeline.desk.schema.contract import RESCUED, read_contract

if TYPE_CHECKING:
    from ndjson_pipeline.glue.report import GlueReport

Tell = Callable[[str], None]

logger = logging.getLogger(__name__)

OTHER_PLACES = "*"
_SOURCE = "_source_file"
_READS_AT_ONCE = 8
# Glue runs of a date whose reports are read, those with the most rescued records first.
_MOST_RUNS = 300
# Parquet files that are looked into, spread over the date.
_MOST_FILES = 300
# Rows whose values are judged; some seconds.
_MOST_RESCUED = 20_000
_ROWS_AT_ONCE = 1_024
_BUFFER_BYTES = 256 * 1024
_LONGEST_VALUE = 200
_CHANGED = frozenset({"PreconditionFailed", "412"})


@dataclass(frozen=True)
class RescuedSample:
    """A value that did not fit.

    Attributes:
        value: as it was written, as JSON, cut to 200 characters.
        source_file: the URI of its file.
    """

    value: str
    source_file: str


@dataclass
class RescuedPlace:
    """What did not fit one column, or a place inside one.

    Attributes:
        path: of the place; `*` stands for all that reports do not name.
        type: of its column, as a hint writes it; None where it has none.
        reasons: records by reason; of the sample alone where no report tells.
        samples: some of the values.
    """

    path: str
    type: str | None
    reasons: Counter[str] = field(default_factory=Counter)
    samples: list[RescuedSample] = field(default_factory=list)

    @property
    def records(self) -> int:
        """Records with such a value, one for each reason."""
        return self.reasons.total()


@dataclass
class Sampled:
    """How much was read for samples.

    Attributes:
        files: Parquet files that were looked into.
        files_of_date: that the date has.
        rows: rows whose `_rescued` was read.
        rescued: of those, how many have something in it.
        read_mb: what was read of S3.
        is_whole: whether all of the date's `_rescued` was read.
    """

    files: int = 0
    files_of_date: int = 0
    rows: int = 0
    rescued: int = 0
    read_mb: float = 0.0
    is_whole: bool = True


@dataclass
class RescuedOfDate:
    """What did not fit in a date.

    Attributes:
        records: rows of the date; None where its totals do not tell.
        rescued: rows with anything in `_rescued`; None likewise.
        manifests_unreported: converted manifests whose numbers nobody has.
        places: the worst first.
        runs: Glue runs of the date that have something to tell.
        runs_read: of those, how many reports were had.
        is_counted: whether the reasons are of the reports; else of the sample.
        is_more: whether runs also counted manifests that were converted again since.
        sampled: how much was read for samples.
    """

    records: int | None = None
    rescued: int | None = None
    manifests_unreported: int = 0
    places: list[RescuedPlace] = field(default_factory=list)
    runs: int = 0
    runs_read: int = 0
    is_counted: bool = False
    is_more: bool = False
    sampled: Sampled = field(default_factory=Sampled)


def rescued_of_date(desk: Desk, date: str, samples: int, most_mb: int, tell: Tell) -> RescuedOfDate:
    """Return what did not fit in a date.

    Args:
        desk: the deployment.
        date: the date.
        samples: so many values of each place.
        most_mb: so much of the Parquet is read for them.
        tell: told how far it is.

    Raises:
        SchemaUnreadableError: the schema contract is none.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    contract = read_contract(desk)
    records = desk.records.of_date(date)
    totals = desk.records.totals(date)
    found = RescuedOfDate(manifests_unreported=totals.manifests_unreported)
    # What nobody reported is in no total: of a date of nothing else the Parquet alone tells.
    if totals.manifests > totals.manifests_unreported:
        found.records, found.rescued = totals.numbers.records_processed, totals.numbers.records_rescued
    places: dict[str, RescuedPlace] = {}
    _count(desk, records, contract, found, places, tell)
    if found.rescued != 0 or totals.manifests_unreported:
        _sample(desk, date, contract, found, places, samples, most_mb, tell)
    found.places = sorted(places.values(), key=lambda one: (one.path == OTHER_PLACES, -one.records, one.path))
    return found


def _count(
    desk: Desk,
    records: Sequence[ManifestRecord],
    contract: SchemaContract,
    found: RescuedOfDate,
    places: dict[str, RescuedPlace],
    tell: Tell,
) -> None:
    """Add up what the runs report whose output the date has."""
    by_run: dict[str, list[ManifestRecord]] = {}
    for record in records:
        counted = record.counted.numbers if record.counted else None
        is_clean = counted is not None and counted.records_rescued == 0
        if record.status is ManifestStatus.COMPLETED and record.glue_job_run_id and not is_clean:
            by_run.setdefault(record.glue_job_run_id, []).append(record)
    found.runs = len(by_run)
    chosen = sorted(by_run, key=lambda run: (-sum(map(_rescued, by_run[run])), run))[:_MOST_RUNS]
    _ = (desk.glue, desk.s3, desk.names)
    with ThreadPoolExecutor(_READS_AT_ONCE, thread_name_prefix="reports") as pool:
        for number, report in enumerate(pool.map(lambda run: _report(desk, run), chosen), start=1):
            tell(f"{number} of {len(chosen)} reports")
            if report is None:
                continue
            found.runs_read += 1
            own = {record.manifest_path for record in by_run[chosen[number - 1]]}
            found.is_more = found.is_more or any(
                outcome.records_rescued and path not in own for path, outcome in report.manifests.items()
            )
            for each in report.rescued_columns:
                _place(places, contract, each.path).reasons[each.reason] += each.records
    found.is_counted = found.runs_read > 0


def _rescued(record: ManifestRecord) -> int:
    numbers = record.counted.numbers if record.counted else None
    return 0 if numbers is None else numbers.records_rescued


def _report(desk: Desk, run_id: str) -> "GlueReport | None":
    """Return what a Glue run reported; None where Glue or the bucket does not have it any more."""
    # Dagster loads for seconds.
    from ndjson_pipeline.glue.reported import read_report  # noqa: PLC0415
    from ndjson_pipeline.glue.runs import GlueRun  # noqa: PLC0415

    try:
        answer = desk.glue.get_job_run(JobName=desk.names.glue_job, RunId=run_id)
    except ClientError as error:
        if not is_absent(error):
            raise
        logger.info("Glue does not know run %s any more", run_id)
        return None
    return read_report(desk.s3, desk.names.manifest_bucket, GlueRun.from_response(answer["JobRun"]))


def _sample(
    desk: Desk,
    date: str,
    contract: SchemaContract,
    found: RescuedOfDate,
    places: dict[str, RescuedPlace],
    samples: int,
    most_mb: int,
    tell: Tell,
) -> None:
    files = output_files(desk, date)
    sampled, budget = found.sampled, most_mb * BYTES_PER_MB
    sampled.files_of_date = len(files)
    chosen = spread(files, _MOST_FILES)
    sampled.is_whole = len(chosen) == len(files)
    for file in chosen:
        if budget <= 0 or sampled.rescued >= _MOST_RESCUED:
            sampled.is_whole = False
            break
        ranges = RangeFile(desk.s3, desk.names.output_bucket, file.key, file.size_bytes, file.etag)
        try:
            for text, source in _texts(ranges, file, budget, sampled):
                _take(text, source, contract, found, places, samples)
        except ClientError as error:
            if not (is_absent(error) or error_code(error) in _CHANGED):
                raise
            # It was replaced, or removed, by a run that converts its manifest again.
            sampled.is_whole = False
        budget -= ranges.bytes_read
        sampled.read_mb += ranges.bytes_read / BYTES_PER_MB
        sampled.files += 1
        tell(f"{sampled.files:,} of {len(chosen):,} Parquet files, {sampled.rescued:,} rows with something")


def spread(files: Sequence[ParquetFile], most: int) -> list[ParquetFile]:
    """Return so many of some files, from all over them; pure."""
    if len(files) <= most:
        return list(files)
    return [files[number * len(files) // most] for number in range(most)]


def _texts(
    ranges: RangeFile, file: ParquetFile, budget: float, sampled: Sampled
) -> Iterator[tuple[str, str]]:
    """Yield what stands in a file's `_rescued`, with the source file, row group by row group."""
    import pyarrow as pa  # noqa: PLC0415 - a second
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        # Piece by piece: a row group's column may be larger than all that is to be read.
        parquet = pq.ParquetFile(pa.PythonFile(ranges, mode="r"), buffer_size=_BUFFER_BYTES)
    except pa.ArrowInvalid as error:
        logger.warning("%s is no Parquet: %s", file.key, error)
        sampled.is_whole = False
        return
    names = parquet.schema_arrow.names
    if RESCUED not in names:
        sampled.rows += parquet.metadata.num_rows
        return
    columns = [RESCUED, *([_SOURCE] if _SOURCE in names else [])]
    # By its path: a member of an object may have the name, too.
    leaves = parquet.metadata.schema
    place = next((number for number in range(len(leaves)) if leaves.column(number).path == RESCUED), None)
    for group in range(parquet.num_row_groups):
        rows = parquet.metadata.row_group(group)
        statistics = None if place is None else rows.column(place).statistics
        if statistics is not None and statistics.null_count == rows.num_rows:
            sampled.rows += rows.num_rows
            continue
        for batch in parquet.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=columns):
            sampled.rows += batch.num_rows
            odd = batch.filter(batch.column(RESCUED).is_valid())
            sampled.rescued += odd.num_rows
            texts = odd.column(RESCUED).to_pylist()
            sources = odd.column(_SOURCE).to_pylist() if _SOURCE in names else ["unknown"] * len(texts)
            yield from zip(map(str, texts), map(str, sources), strict=True)
            if ranges.bytes_read > budget or sampled.rescued >= _MOST_RESCUED:
                sampled.is_whole = False
                return


def _take(
    text: str,
    source: str,
    contract: SchemaContract,
    found: RescuedOfDate,
    places: dict[str, RescuedPlace],
    samples: int,
) -> None:
    """Judge a row's `_rescued` by the rules of the job, and keep of each place some values."""
    try:
        record = load_record(text.encode("utf-8", "surrogatepass"))
    except NotARecordError as error:
        logger.warning("_rescued of a row of %s is no object: %s", source, error)
        return
    for path, reason in split_record(record, contract.types).rescued:
        place = _place(places, contract, path)
        if not found.is_counted:
            place.reasons[str(reason)] += 1
        if len(place.samples) < samples:
            value = next(_values(record, contract.types, steps_of(path)), None)
            if value is not None:
                place.samples.append(RescuedSample(_shown(value), source))


def _values(value: Any, types: Mapping[str, ColumnType], steps: tuple[str, ...]) -> Iterator[Any]:
    """Yield the values of a place that do not fit it."""
    name = steps[0][1:]
    if isinstance(value, dict) and name in value:
        yield from _below(value[name], types.get(name), steps[1:])


def _below(value: Any, column: ColumnType | None, steps: tuple[str, ...]) -> Iterator[Any]:
    if not steps:
        if column is None or split_record({"v": value}, {"v": column}).rescued:
            yield value
        return
    step, item = steps[0], None if column is None else column.item
    if step == ITEMS:
        for each in value if isinstance(value, list) else ():
            yield from _below(each, item, steps[1:])
    elif step == VALUES:
        for each in value.values() if isinstance(value, dict) else ():
            yield from _below(each, item, steps[1:])
    elif isinstance(value, dict) and step[1:] in value:
        member = column.by_name.get(step[1:]) if column is not None and column.kind is Kind.STRUCT else None
        yield from _below(value[step[1:]], member, steps[1:])


def _shown(value: Any) -> str:
    text = dump(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _place(places: dict[str, RescuedPlace], contract: SchemaContract, path: str) -> RescuedPlace:
    if path not in places:
        places[path] = RescuedPlace(path, _type_at(contract, path))
    return places[path]


def _type_at(contract: SchemaContract, path: str) -> str | None:
    from glue_jobs.errors import SchemaChangeError  # noqa: PLC0415
    from glue_jobs.schema.change import find_type  # noqa: PLC0415
    from glue_jobs.schema.hints import type_text  # noqa: PLC0415

    try:
        column = find_type(contract.types, steps_of(path))
    except (SchemaChangeError, ValueError):
        return None
    return None if column is None else type_text(column)
