"""Commands that change something: shown, asked for, and done by the rules that hold anyway."""

import io
import json
from typing import Any

import boto3
import pytest

from lambda_ingest.contract.acceptance import acceptance_key
from lambda_ingest.contract.items import from_item
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from lambda_ingest.contract.records import LOCK_FILE_KEY, lock_partition
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline_tests.pipeline.cli.conftest import (
    CONVERTED,
    INPUT_PREFIX,
    REFUSED,
    WAITING,
    Busy,
    Cli,
    Deny,
    drain,
)
from ndjson_pipeline_tests.pipeline.harness import DATE, make_name
from ndjson_pipeline_tests.pipeline.test_jobs import Functions

pytestmark = pytest.mark.usefixtures("deployment", "emptied")

CHANGING = [
    ["reprocess", "--failed"],
    ["reprocess", "--date", DATE],
    ["reprocess", "--manifest", f"{DATE}/000002-00000002"],
    ["accept", f"{DATE}/000002-00000002", "--without", f"{DATE}-a.ndjson"],
    ["flush"],
    ["reconcile", "--date", DATE],
    ["quarantine", "release", REFUSED],
    ["quarantine", "purge", REFUSED],
    ["dlq", "redrive"],
    ["lock", "break", "--date", DATE],
]


def name_of(arguments: list[str]) -> str:
    return " ".join(arguments)


def everything(busy: Busy) -> list[Any]:
    """Return all rows and objects."""
    deployment = busy.deployment
    items = deployment.dynamodb.scan(TableName=deployment.names.tracking_table)["Items"]
    keys = [
        f"{bucket}/{found['Key']}"
        for bucket in deployment.names.buckets[:4]
        for found in deployment.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    ]
    return [sorted(items, key=str), sorted(keys)]


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Functions:
    """The sweeper, in this process."""
    functions = Functions()
    monkeypatch.setattr(Desk, "patient_functions", functions)
    return functions


@pytest.fixture
def dead_letter(busy: Busy) -> Any:
    sqs: Any = boto3.client("sqs")
    urls = {
        name: sqs.get_queue_url(QueueName=name)["QueueUrl"]
        for name in (busy.deployment.names.queue, busy.deployment.names.dead_letter_queue)
    }
    for url in urls.values():
        drain(sqs, url)
    sqs.send_message(QueueUrl=urls[busy.deployment.names.dead_letter_queue], MessageBody="{}")
    yield sqs
    for url in urls.values():
        drain(sqs, url)


@pytest.mark.parametrize("arguments", CHANGING, ids=name_of)
def test_without_a_terminal_and_a_yes_nothing_is_even_read(
    cli: Cli, deny: Deny, arguments: list[str]
) -> None:
    deny()
    done = cli(*arguments)
    assert done.code == 2
    assert "--yes" in done.err
    assert cli(*arguments, "--json").document["error"]["exit_code"] == 2


@pytest.mark.parametrize("arguments", CHANGING, ids=name_of)
def test_a_dry_run_shows_and_changes_nothing(
    cli: Cli, busy: Busy, functions: Functions, dead_letter: Any, arguments: list[str]
) -> None:
    before = everything(busy)
    shown, told = cli(*arguments, "--dry-run"), cli(*arguments, "--dry-run", "--json")
    assert (shown.code, told.code) == (0, 0), shown
    assert "Nothing was changed." in shown.out
    assert told.document["dry_run"] is True
    assert everything(busy) == before
    assert functions.calls == []


@pytest.mark.parametrize("arguments", CHANGING, ids=name_of)
def test_no_permission_is_one_sentence(cli: Cli, deny: Deny, arguments: list[str]) -> None:
    deny()
    if arguments == ["reconcile", "--date", DATE]:
        pytest.skip("it only calls the sweeper")
    told = cli(*arguments, "--dry-run", "--json")
    assert told.code == 1
    assert "they lack" in told.document["error"]["message"]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_at_a_terminal_it_asks(
    cli: Cli, busy: Busy, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    errors = _Terminal()
    monkeypatch.setattr("sys.stdin", _Terminal(answer))
    monkeypatch.setattr("sys.stderr", errors)
    before = everything(busy)
    done = cli("lock", "break", "--date", DATE)
    assert done.code == code
    assert f"End the lock of {DATE}?" in errors.getvalue()
    assert (everything(busy) == before) is (code == 1)


def test_failed_manifests_are_tried_again_and_no_other(cli: Cli, busy: Busy) -> None:
    found = cli("reprocess", "--date", DATE, "--yes", "--json").document
    assert found["tried_again"] == [make_name(2).filename]
    assert busy.table.item(make_name(2))["retry_at"]
    assert "retry_at" not in busy.table.item(make_name(1))
    assert cli("reprocess", "--failed", "--yes", "--json").document["tried_again"]


def test_of_a_date_without_failures_there_is_nothing_to_do(cli: Cli) -> None:
    done = cli("reprocess", "--date", DATE, "--yes")
    assert done.code == 0
    assert "nothing to do" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--manifest", make_name(1).filename], "--everything"),
        (["--manifest", f"s3://bucket/{make_name(3).key}"], "run run-3 is converting it"),
        (["--manifest", f"{DATE}/000004-00000004"], "manifest_sensor launches"),
        (["--manifest", f"{DATE}/000009-00000009"], "no record"),
        (["--manifest", "nonsense"], "is no manifest's name"),
        (["--file", CONVERTED], "has not failed"),
        (["--file", WAITING], "is in no manifest"),
    ],
    ids=["done", "going", "waits", "unknown", "nonsense", "file", "file waits"],
)
def test_what_has_not_failed_says_what_to_do_instead(
    cli: Cli, busy: Busy, arguments: list[str], said: str
) -> None:
    before = everything(busy)
    done = cli("reprocess", *arguments, "--yes")
    assert done.code == 1
    assert said in done.err
    assert everything(busy) == before


@pytest.mark.parametrize(
    "arguments", [[], ["--failed", "--date", DATE], ["--failed", "--everything"]], ids=name_of
)
def test_one_thing_is_asked_for(cli: Cli, arguments: list[str]) -> None:
    assert cli("reprocess", *arguments, "--yes").code == 2


def test_a_whole_date_needs_dagster(cli: Cli) -> None:
    done = cli("reprocess", "--date", DATE, "--everything", "--yes")
    assert done.code == 1
    assert "NDJSON_DAGSTER_URL" in done.err


def test_a_manifest_is_done_without_what_is_gone(cli: Cli, busy: Busy) -> None:
    name, names = make_name(2), busy.deployment.names
    files = [
        ManifestFile(f"s3://{names.input_bucket}/{INPUT_PREFIX}{DATE}-{letter}.ndjson", 3, "etag")
        for letter in "abc"
    ]
    manifest = Manifest(name, f"{DATE}T00:00:00Z", tuple(files)).to_json()
    busy.object(names.manifest_bucket, name.key, manifest)
    for letter in "ab":
        done = cli("accept", name.filename, "--without", f"{DATE}-{letter}.ndjson", "--yes", "--json")
        assert done.code == 0, done
    answer = busy.deployment.s3.get_object(Bucket=names.manifest_bucket, Key=acceptance_key(name))
    kept = json.loads(answer["Body"].read())
    assert kept["without"] == [files[0].uri, files[1].uri]
    assert kept["accepted_by"].startswith("arn:")
    assert busy.table.item(name)["retry_at"]
    # The manifest's own object is what it was.
    assert (
        busy.deployment.s3.get_object(Bucket=names.manifest_bucket, Key=name.key)["Body"].read() == manifest
    )


def test_what_is_there_or_not_listed_is_not_given_up(cli: Cli, busy: Busy) -> None:
    name, names = make_name(2), busy.deployment.names
    key = f"{INPUT_PREFIX}{DATE}-a.ndjson"
    busy.object(names.input_bucket, key)
    etag = busy.deployment.s3.head_object(Bucket=names.input_bucket, Key=key)["ETag"].strip('"')
    file = ManifestFile(f"s3://{names.input_bucket}/{key}", 3, etag)
    busy.object(names.manifest_bucket, name.key, Manifest(name, "x", (file,)).to_json())
    there = cli("accept", name.filename, "--without", file.uri, "--yes")
    assert there.code == 1
    assert "is there with the content" in there.err
    other = cli("accept", name.filename, "--without", "other.ndjson", "--yes")
    assert "does not list other.ndjson" in other.err
    assert cli("accept", make_name(1).filename, "--without", file.uri, "--yes").code == 1


def test_flush_and_reconcile_call_the_sweeper(cli: Cli, busy: Busy, functions: Functions) -> None:
    # The sweeper prints its metrics in this process, in long lines.
    assert cli("flush", "--yes", "--json").code == 0
    assert cli("reconcile", "--date", DATE, "--yes", "--json").code == 0
    assert [event for _, event in functions.calls] == [{"audit": False}, {"dates": [DATE]}]


def test_a_part_of_a_sweep_that_failed_is_3(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk, "patient_functions", Functions(lambda _event: {"failed": ["flush"]}))
    done = cli("flush", "--yes")
    assert done.code == 3
    assert "parts failed: flush" in done.out


def test_a_released_file_lies_in_the_input_again(cli: Cli, busy: Busy) -> None:
    names, s3, key = busy.deployment.names, busy.deployment.s3, f"{INPUT_PREFIX}{REFUSED}"
    found = cli("quarantine", "release", "--date", DATE, "--yes", "--json").document
    assert [one["key"] for one in found["released"]] == [key]
    back = s3.get_object(Bucket=names.input_bucket, Key=key)
    assert back["Body"].read() == b"refused"
    assert back["Metadata"] == {}
    assert "Contents" not in s3.list_objects_v2(Bucket=names.quarantine_bucket, Prefix=key)


def test_a_release_goes_over_nothing(cli: Cli, busy: Busy) -> None:
    names, s3, key = busy.deployment.names, busy.deployment.s3, f"{INPUT_PREFIX}{REFUSED}"
    busy.object(names.input_bucket, key, b"newer")
    done = cli("quarantine", "release", REFUSED, "--yes")
    assert done.code == 1
    assert s3.get_object(Bucket=names.input_bucket, Key=key)["Body"].read() == b"newer"
    assert s3.get_object(Bucket=names.quarantine_bucket, Key=key)["Body"].read() == b"refused"


def test_a_file_of_another_bucket_stays(cli: Cli, busy: Busy) -> None:
    key = f"{INPUT_PREFIX}{DATE}-stranger.ndjson"
    busy.object(busy.deployment.names.quarantine_bucket, key, Metadata={"original_bucket": "theirs"})
    done = cli("quarantine", "release", key, "--yes")
    assert done.code == 1
    assert "theirs, which is none of ours" in done.out


def test_a_purge_deletes_what_was_shown(cli: Cli, busy: Busy) -> None:
    names, s3 = busy.deployment.names, busy.deployment.s3
    assert cli("quarantine", "purge", "--older-than-days", "1", "--yes").out.startswith("There is nothing")
    assert cli("quarantine", "purge", "--yes").code == 2
    found = cli("quarantine", "purge", "--date", DATE, "--yes", "--json").document
    assert len(found["deleted"]) == 1
    # The rejected records, which lie in the same bucket, stay.
    left = s3.list_objects_v2(Bucket=names.quarantine_bucket)["Contents"]
    assert [one["Key"].split("/")[0] for one in left] == ["rejected"]


def test_dead_letters_go_back_into_the_queue(cli: Cli, busy: Busy, dead_letter: Any) -> None:
    names = busy.deployment.names
    assert cli("dlq", "redrive", "--yes", "--json").document["moved"] == 1
    for queue, expected in ((names.queue, "1"), (names.dead_letter_queue, "0")):
        url = dead_letter.get_queue_url(QueueName=queue)["QueueUrl"]
        found = dead_letter.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        assert found["Attributes"]["ApproximateNumberOfMessages"] == expected
    assert "nothing to do" in cli("dlq", "redrive", "--yes").out


def test_a_lock_is_broken_only_as_it_was_shown(cli: Cli, busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    def another(*_: Any) -> bool:
        busy.table.put_item(
            date_prefix=lock_partition(DATE), file_key=LOCK_FILE_KEY, lock_id="held-by-b", ttl=9
        )
        return True

    with monkeypatch.context() as patch:
        patch.setattr("ndjson_pipeline.cli.session.Session.agree", another)
        done = cli("lock", "break", "--date", DATE, "--yes")
    assert done.code == 1
    assert "changed meanwhile" in done.err
    assert cli("lock", "break", "--date", DATE, "--yes").code == 0
    rows = busy.deployment.dynamodb.scan(TableName=busy.deployment.names.tracking_table)["Items"]
    assert lock_partition(DATE) not in {from_item(row)["date_prefix"] for row in rows}
    assert "is free" in cli("lock", "break", "--date", DATE, "--yes").out
