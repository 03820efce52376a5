"""Which manifests a person has tried again, and what else there is to do with those that did not fail."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.dagster_api import DagsterApi
from ndjson_pipeline.desk.file_story import tell_story
from ndjson_pipeline.desk.manifest_rows import parse_manifest
from ndjson_pipeline.errors import PipelineError

# Of one call; the next one takes the rest.
MOST_FAILED = 1_000
_ASSET = "merged_parquet"
# Behind live data, as every backfill.
_TAGS = {"ndjson/asked_by": "command line"}


class NotFailedError(PipelineError):
    """A manifest has not failed, so there is nothing to try again."""


@dataclass
class Chosen:
    """What would be tried again.

    Attributes:
        failed: the manifests.
        is_cut: whether there are more.
    """

    failed: list[ManifestRecord] = field(default_factory=list)
    is_cut: bool = False


def failed_of_date(desk: Desk, date: str) -> Chosen:
    """Return a date's failed manifests, strongly read.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    records = desk.records.of_date(date)
    return Chosen([record for record in records if record.status is ManifestStatus.FAILED])


def all_failed(desk: Desk) -> Chosen:
    """Return failed manifests of all dates, by the index, up to a bound.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    found = desk.records.with_status(ManifestStatus.FAILED, MOST_FAILED)
    return Chosen(sorted(found, key=lambda record: record.name), is_cut=len(found) >= MOST_FAILED)


def failed_manifest(desk: Desk, name: ManifestName) -> Chosen:
    """Return one manifest, if it has failed.

    Raises:
        NotFailedError: it has not, or has no record; the message says what to do instead.
        ClientError: DynamoDB refused or failed.
    """
    record = desk.records.find(name)
    if record is None:
        raise NotFailedError(
            f"{name.filename} has no record that can be read: there is no such manifest, or its record has "
            f"expired; `ndjson-pipeline reprocess --date {name.date_prefix} --everything` gives it one"
        )
    if record.status is not ManifestStatus.FAILED:
        raise NotFailedError(f"{name.filename} has not failed: {_instead(record)}")
    return Chosen([record])


def failed_manifest_of_file(desk: Desk, file: str, date: str | None, tell: Callable[[str], None]) -> Chosen:
    """Return the manifest that a file is in, if it has failed.

    Raises:
        NotFailedError: it has not, or the file is in none; the message says what became of it.
        UnknownFileError: nobody knows the file.
        ClientError: AWS refused or failed.
    """
    story = tell_story(desk, file, date, tell)
    if story.manifest is None:
        step = f" {story.next_step}." if story.next_step else ""
        raise NotFailedError(
            f"{file} is in no manifest, so there is nothing to try again. {story.verdict}{step}"
        )
    return failed_manifest(desk, story.manifest)


def manifest_named(text: str) -> ManifestName:
    """Read a manifest as a person names it.

    Raises:
        UnknownManifestError: it is no manifest's name.
    """
    try:
        return ManifestName.from_uri(text)
    except ContractError:
        return parse_manifest(text)


def convert_again(desk: Desk, date: str) -> str:
    """Launch a backfill of a date, which converts all of its manifests again, and return its id.

    Raises:
        DagsterUnreachableError: Dagster does not answer, or refuses.
    """
    feed = desk.settings.feed
    asset = (feed, _ASSET) if feed else (_ASSET,)
    title = f"{date} again, by the command line"
    return DagsterApi(desk.settings.dagster_url).backfill(asset, [date], _TAGS, title)


def _instead(record: ManifestRecord) -> str:
    match record.status:
        case ManifestStatus.PENDING:
            return "it waits for a run, which manifest_sensor launches"
        case ManifestStatus.PROCESSING:
            return f"run {record.dagster_run_id} is converting it"
    return (
        "it is converted; to do that again, `ndjson-pipeline reprocess "
        f"--date {record.date_prefix} --everything`"
    )
