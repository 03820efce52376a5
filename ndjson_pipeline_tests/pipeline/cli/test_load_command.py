"""`load`: planned first, by the builder's own rules, and then through the queue."""

import gzip
import os
import signal
import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.dates import utc_timestamp
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.loading import delivery
from ndjson_pipeline.loading.following import Following
from ndjson_pipeline.loading.progress_record import LoadRecord, LoadState, LoadStatus
from ndjson_pipeline_tests.pipeline.cli.conftest import Cli, Deny
from ndjson_pipeline_tests.pipeline.harness import ManifestTable
from ndjson_pipeline_tests.pipeline.loading.conftest import PREFIX, Builder, builder, desk, elsewhere

__all__ = ["builder", "desk", "elsewhere"]
OLD = "2025-06-01"
LINES = b'{"a": 1}\n'


@pytest.fixture
def old(builder: Builder) -> Builder:
    """Objects from before the notifications: their events are gone."""
    for name in (f"{OLD}-a.ndjson", f"{OLD}-b c+d.ndjson", f"sub/{OLD}-ü.ndjson.gz"):
        builder.put(name)
    builder.messages()
    return builder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A person's own files."""
    mine = tmp_path / "mine"
    (mine / "dt=2025-06-02").mkdir(parents=True)
    (mine / f"{OLD}-kept.ndjson").write_bytes(LINES)
    (mine / "app 2025-06-01.json").write_bytes(LINES * 2)
    (mine / "dt=2025-06-02" / "part#1.jsonl.gz").write_bytes(gzip.compress(LINES))
    return mine


def test_a_dry_run_tells_all_and_changes_nothing(cli: Cli, old: Builder) -> None:
    old.put(f"{OLD}-.hidden.ndjson.tmp")
    old.messages()
    shown, told = cli("load", OLD, "--dry-run"), cli("load", OLD, "--dry-run", "--json")
    assert (shown.code, told.code) == (0, 0), shown
    would = told.document["would"]
    assert would["fates"] == {"load": 2, "known": 0, "refused": 0, "unnamed": 0, "left": 1}
    assert would["dates"] == {OLD: {"load": 2, "megabytes": 0.0}}
    assert would["manifests"] == 1
    assert old.messages() == []
    assert old.files() == {}
    assert "Nothing was changed." in shown.out


def test_objects_of_old_go_through_the_queue_and_its_rules_once(cli: Cli, old: Builder) -> None:
    done = cli("load", "s3://" + old.deployment.names.input_bucket + "/" + PREFIX, "--yes", "--json")
    assert done.document["loaded"] == 3, done
    old.work()
    assert set(old.files().values()) == {"manifested"}
    assert set(old.files()) == {f"{OLD}-a.ndjson", f"{OLD}-b c+d.ndjson", f"sub/{OLD}-ü.ndjson.gz"}
    again = cli("load", PREFIX, "--yes", "--json")
    assert (again.code, again.document["loaded"]) == (0, 0)
    assert again.document["fates"]["known"] == 3
    assert old.messages() == []


def test_what_a_manifest_lists_is_known_after_its_record_expired(cli: Cli, old: Builder) -> None:
    cli("load", OLD, "--yes")
    old.work()
    names = old.deployment.names
    for item in old.deployment.dynamodb.scan(TableName=names.tracking_table)["Items"]:
        key = {name: item[name] for name in ("date_prefix", "file_key")}
        old.deployment.dynamodb.delete_item(TableName=names.tracking_table, Key=key)
    found = cli("load", OLD, "--dry-run", "--json").document["would"]
    assert found["fates"]["known"] == 2
    # And where it is sent all the same, the builder does not load it again.
    assert old.files() == {}


@pytest.mark.parametrize(
    ("name", "variables", "said"),
    [
        ("2024-12-31-a.ndjson", {}, "PARTITION_START_DATE is 2025-01-01"),
        ("a.ndjson", {}, "no date"),
        (f"{OLD}-a.ndjson", {"EXPECTED_FILE_SIZE_MB": "3.5"}, "EXPECTED_FILE_SIZE_MB is 3.5 within 10 %"),
        (f"{OLD}-a#.ndjson", {}, "key outside the allowed pattern"),
        (f"{OLD}-a\nb.ndjson", {}, "key outside the allowed pattern"),
    ],
)
def test_what_would_be_quarantined_is_said_before(
    cli: Cli, builder: Builder, name: str, variables: dict[str, str], said: str
) -> None:
    builder.put(name)
    builder.messages()
    builder.variables |= variables
    done = cli("load", PREFIX, "--yes")
    assert done.code == 1
    assert said in done.err
    assert "1 of 1 files would be refused" in done.err
    assert builder.messages() == []
    assert said in cli("load", PREFIX, "--dry-run", "--json").document["would"]["refusal"]
    skipped = cli("load", PREFIX, "--yes", "--skip-refused", "--json")
    assert (skipped.code, skipped.document["loaded"]) == (0, 0)
    assert builder.messages() == []
    included = cli("load", PREFIX, "--yes", "--include-refused", "--json")
    assert included.document["loaded"] == 1
    builder.work()
    assert set(builder.files().values()) == {"quarantined"}


def test_objects_of_another_bucket_are_copied_under_names_of_the_contract(
    cli: Cli, builder: Builder, elsewhere: str
) -> None:
    builder.put(f"{OLD}-kept.ndjson", bucket=elsewhere, prefix="logs/")
    builder.put("2025/06/02/app x.json.gz", bucket=elsewhere, prefix="logs/")
    builder.put("notes.txt", bucket=elsewhere, prefix="logs/")
    done = cli("load", f"s3://{elsewhere}/logs/", "--yes", "--json")
    assert (done.code, done.document["loaded"], done.document["passed_over"]) == (0, 2, {"left": 1}), done
    kept, other = builder.objects()
    assert kept == f"{PREFIX}{OLD}-kept.ndjson"
    assert other.startswith(f"{PREFIX}2025-06-02-app-x-")
    assert other.endswith(".ndjson.gz")
    builder.work()
    assert set(builder.files().values()) == {"manifested"}
    again = cli("load", f"s3://{elsewhere}/logs/", "--yes", "--json")
    assert again.document["fates"]["known"] == 2
    assert len(builder.objects(elsewhere)) == 3


def test_a_copy_never_lies_over_another_object(cli: Cli, builder: Builder, elsewhere: str) -> None:
    builder.put(f"{OLD}-a.ndjson", b'{"theirs": 1}\n')
    builder.put(f"{OLD}-a.ndjson", b'{"others": 1}\n', bucket=elsewhere, prefix="")
    done = cli("load", f"s3://{elsewhere}/", "--yes", "--json")
    assert (done.code, done.document["loaded"], done.document["failed"]) == (1, 0, 1)
    assert "another object lies" in done.document["failures"][0]["why"]
    body = builder.deployment.s3.get_object(
        Bucket=builder.deployment.names.input_bucket, Key=f"{PREFIX}{OLD}-a.ndjson"
    )
    assert body["Body"].read() == b'{"theirs": 1}\n'


def test_the_input_buckets_other_places_are_copied_too(cli: Cli, builder: Builder) -> None:
    builder.put(f"{OLD}-a.ndjson", prefix="archive/")
    builder.messages()
    done = cli("load", f"s3://{builder.deployment.names.input_bucket}/archive/", "--yes", "--json")
    assert done.document["loaded"] == 1
    assert f"{PREFIX}{OLD}-a.ndjson" in builder.objects()


def test_large_objects_are_copied_in_parts(
    cli: Cli, builder: Builder, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LARGEST_COPY", 6 * 1024**2)
    monkeypatch.setattr(delivery, "_COPY_PART", 5 * 1024**2)
    builder.put(f"{OLD}-a.ndjson", b"x" * (11 * 1024**2), bucket=elsewhere, prefix="")
    for loaded, there in ((1, 0), (0, 1)):
        done = cli("load", f"s3://{elsewhere}/", "--yes", "--json")
        assert (done.document["loaded"], done.document["there_already"]) == (loaded, there), done
    head = builder.deployment.s3.head_object(
        Bucket=builder.deployment.names.input_bucket, Key=f"{PREFIX}{OLD}-a.ndjson"
    )
    assert head["ContentLength"] == 11 * 1024**2


def test_ones_own_files_are_put_there_once(cli: Cli, builder: Builder, folder: Path) -> None:
    plan = cli("load", str(folder), "--dry-run", "--json").document["would"]
    assert {one["from"] for one in plan["names"]} == {"app 2025-06-01.json", "dt=2025-06-02/part#1.jsonl.gz"}
    done = cli("load", str(folder), "--yes", "--json")
    assert (done.code, done.document["loaded"]) == (0, 3), done
    assert {one["to"] for one in plan["names"]} < set(builder.objects())
    packed = next(key for key in builder.objects() if key.endswith(".gz"))
    stored = builder.deployment.s3.get_object(Bucket=builder.deployment.names.input_bucket, Key=packed)
    assert gzip.decompress(stored["Body"].read()) == LINES
    again = cli("load", str(folder), "--yes", "--json")
    assert (again.document["loaded"], again.document["there_already"]) == (0, 3)
    builder.work()
    assert set(builder.files().values()) == {"manifested"}
    assert cli("load", str(folder), "--yes", "--json").document["fates"]["known"] == 3
    assert len(builder.objects()) == 3


def test_a_file_that_changed_is_not_put_over_what_was_loaded(
    cli: Cli, builder: Builder, folder: Path
) -> None:
    cli("load", str(folder), "--yes")
    (folder / f"{OLD}-kept.ndjson").write_bytes(LINES * 3)
    done = cli("load", str(folder), "--yes", "--json")
    assert (done.code, done.document["failed"]) == (1, 1)
    assert "another object lies" in done.document["failures"][0]["why"]


def test_what_is_no_plain_file_is_told_and_left(cli: Cli, builder: Builder, folder: Path) -> None:
    secret = folder.parent / "secret.ndjson"
    secret.write_bytes(b'{"secret": 1}\n')
    (folder / f"{OLD}-link.ndjson").symlink_to(secret)
    (folder / "out").symlink_to(folder.parent)
    os.mkfifo(folder / f"{OLD}-pipe.ndjson")
    (folder / ".git").mkdir()
    (folder / ".git" / f"{OLD}-x.ndjson").write_bytes(LINES)
    (folder / f"{OLD}-x.ndjson.part").write_bytes(LINES)
    with socket.socket(socket.AF_UNIX) as listening:
        before = Path.cwd()
        os.chdir(folder)
        try:
            listening.bind(f"{OLD}-s.ndjson")
        finally:
            os.chdir(before)
        found = cli("load", str(folder), "--dry-run", "--json").document["would"]
    assert found["fates"]["load"] == 3
    kinds = {one["reason"]: one["files"] for one in found["reasons"]}
    assert kinds == {"a link": 2, "a pipe": 1, "a socket": 1, "hidden name": 1, "unfinished name": 1}


def test_no_name_of_a_producer_takes_effect_on_a_terminal(cli: Cli, builder: Builder, tmp_path: Path) -> None:
    hostile = f"{OLD}-\x1b[31m\u202ered\nline.ndjson"
    (tmp_path / hostile).write_bytes(LINES)
    (tmp_path / os.fsdecode(b"2025-06-01-\xff.csv")).write_bytes(LINES)
    shown = cli("load", str(tmp_path), "--dry-run")
    assert shown.code == 0
    assert not any(mark in shown.out for mark in "\x1b\u202e\udcff")
    assert cli("load", str(tmp_path), "--yes", "--json").document["loaded"] == 1
    (tmp_path / hostile).write_bytes(LINES * 2)
    failed = cli("load", str(tmp_path), "--yes")
    assert failed.code == 1
    assert "another object lies" in failed.out
    assert "\x1b" not in failed.out


def test_a_link_that_takes_a_files_name_meanwhile_is_not_followed(
    cli: Cli, builder: Builder, folder: Path, desk: Desk
) -> None:
    from ndjson_pipeline.loading.judging import Fate, Judged, Source  # noqa: PLC0415 - used once

    secret = folder.parent / "secret.ndjson"
    secret.write_bytes(LINES)
    (folder / "sub").symlink_to(folder.parent)
    (folder / "x.ndjson").symlink_to(secret)
    for key in ("x.ndjson", "sub/secret.ndjson"):
        one = Judged(Source(key, len(LINES), utc_now()), Fate.LOAD, f"{PREFIX}{OLD}-x.ndjson")
        (found,) = delivery.FolderDelivery(desk, folder).deliver([one])
        assert found.outcome is delivery.Outcome.FAILED
    assert builder.objects() == []


def test_large_files_are_put_in_parts(
    cli: Cli, builder: Builder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LARGEST_PUT", 1024**2)
    monkeypatch.setattr(delivery, "_LEAST_PART", 5 * 1024**2)
    (folder / f"{OLD}-large.ndjson").write_bytes(b"y" * (11 * 1024**2 + 3))
    for loaded, there in ((4, 0), (0, 4)):
        done = cli("load", str(folder), "--yes", "--json")
        assert (done.document["loaded"], done.document["there_already"]) == (loaded, there), done
    bucket = builder.deployment.names.input_bucket
    head = builder.deployment.s3.head_object(Bucket=bucket, Key=f"{PREFIX}{OLD}-large.ndjson")
    assert head["ContentLength"] == 11 * 1024**2 + 3
    assert "Uploads" not in builder.deployment.s3.list_multipart_uploads(Bucket=bucket)


def test_files_without_a_date_get_one_where_it_is_asked_for(
    cli: Cli, builder: Builder, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_bytes(LINES)
    os.utime(tmp_path / "a.json", (0, datetime(2025, 7, 8, tzinfo=UTC).timestamp()))
    assert "--date" in cli("load", str(tmp_path), "--yes").err
    for arguments, day in ((["--date", OLD], OLD), (["--date-from", "modified"], "2025-07-08")):
        assert cli("load", str(tmp_path), *arguments, "--dry-run", "--json").document["would"]["dates"] == {
            day: {"load": 1, "megabytes": 0.0}
        }


def test_a_load_goes_on_where_it_stopped_for_anybody(cli: Cli, old: Builder, desk: Desk) -> None:
    source = f"s3://{old.deployment.names.input_bucket}/{PREFIX}"
    stopped = LoadState(
        source,
        LoadStatus.STOPPED,
        after=f"{PREFIX}{OLD}-a.ndjson",
        sent=1,
        holder="arn:other",
        began_at=utc_timestamp(utc_now()),
    )
    LoadRecord(desk, source).write(stopped)
    shown = cli("load", PREFIX, "--dry-run")
    assert "arn:other" in shown.out
    done = cli("load", PREFIX, "--yes", "--json")
    assert done.document["loaded"] == 2
    old.work()
    assert f"{OLD}-a.ndjson" not in old.files()
    assert cli("load", PREFIX, "--restart", "--dry-run", "--json").document["would"]["fates"]["load"] == 1


def test_two_people_do_not_load_the_same(cli: Cli, old: Builder, desk: Desk) -> None:
    source = f"s3://{old.deployment.names.input_bucket}/{PREFIX}"
    LoadRecord(desk, source).write(LoadState(source, LoadStatus.GOING, holder="arn:other"))
    done = cli("load", PREFIX, "--yes")
    assert done.code == 1
    assert "arn:other is at this load" in done.err
    assert cli("load", PREFIX, "--yes", "--take-over", "--json").document["loaded"] == 3


def test_dead_letters_meanwhile_stop_it_and_exit_with_3(
    cli: Cli, old: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ndjson_pipeline.loading.pace import Depth  # noqa: PLC0415 - used once
    from ndjson_pipeline.loading.queues import Queues  # noqa: PLC0415 - used once

    depths = iter([Depth(0, 0), Depth(0, 1)])
    monkeypatch.setattr(Queues, "depth", lambda _queues: next(depths))
    done = cli("load", PREFIX, "--yes")
    assert done.code == 3
    assert "dlq list" in done.err
    assert "goes on" in done.err


@pytest.mark.parametrize(
    ("became", "code"),
    [("completed", 0), ("failed", 3), ("processing", 3)],
    ids=["converted", "failed", "going"],
)
def test_it_waits_and_says_what_became_of_the_files(
    cli: Cli,
    old: Builder,
    manifests: ManifestTable,
    monkeypatch: pytest.MonkeyPatch,
    became: str,
    code: int,
) -> None:
    wait = Following.wait

    def soon(following: Following, *arguments: Any, **options: Any) -> Any:
        old.work()
        for item in manifests.store().of_date(OLD):
            old.deployment.dynamodb.update_item(
                TableName=old.deployment.names.tracking_table,
                Key={"date_prefix": {"S": OLD}, "file_key": {"S": item.file_key}},
                UpdateExpression="SET #status = :status",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":status": {"S": became}},
            )
        return wait(following, *arguments, **{**options, "sleep": lambda _seconds: None, "seconds": 1.0})

    monkeypatch.setattr(Following, "wait", soon)
    done = cli("load", PREFIX, "--yes", "--wait", "--json")
    assert done.code == code, done
    assert sum(done.document["became"].values()) == 3
    assert done.document["is_over"] is (became != "processing")


def test_ctrl_c_while_it_waits_says_how_far_the_files_are(
    cli: Cli, old: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = Following.wait

    def interrupted(following: Following, *arguments: Any, **options: Any) -> Any:
        old.work()
        signal.raise_signal(signal.SIGINT)
        return wait(following, *arguments, **options)

    monkeypatch.setattr(Following, "wait", interrupted)
    before = signal.getsignal(signal.SIGINT)
    done = cli("load", PREFIX, "--yes", "--wait")
    assert signal.getsignal(signal.SIGINT) is before
    assert done.code == 3, done
    assert "3 files in" in done.out
    assert "no, the waiting was ended" in done.out


def test_of_today_what_fills_no_batch_waits_and_that_is_well(
    cli: Cli, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = utc_now().date().isoformat()
    builder.put(f"{today}-a.ndjson")
    builder.messages()
    wait = Following.wait

    def soon(following: Following, *arguments: Any, **options: Any) -> Any:
        builder.work()
        return wait(following, *arguments, **{**options, "sleep": lambda _seconds: None})

    monkeypatch.setattr(Following, "wait", soon)
    done = cli("load", PREFIX, "--yes", "--wait", "--json")
    assert done.code == 0, done
    assert "fill no batch of 10" in done.document["waiting"][0]


BAD: list[tuple[list[str], int, str]] = [
    (["nothing-here"], 1, "holds no file; a folder of this machine is one that exists"),
    (["./nothing-here"], 2, "there is no folder ./nothing-here"),
    (["s3:///x"], 2, "names no bucket"),
    ([PREFIX, "--skip-refused", "--include-refused"], 2, "exclude each other"),
    ([PREFIX, "--date", OLD, "--date-from", "modified"], 2, "exclude each other"),
    ([PREFIX, "--date-from", "name"], 2, "takes modified"),
    (["s3://no-such-bucket-of-anybody/x"], 1, "there is no"),
    ([__file__], 2, "load takes a folder"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), BAD)
def test_what_makes_no_sense_is_said(
    cli: Cli, builder: Builder, arguments: list[str], code: int, said: str
) -> None:
    done = cli("load", *arguments, "--yes")
    assert done.code == code, done
    assert said in done.err


def test_the_pipelines_own_buckets_are_no_source(cli: Cli, builder: Builder) -> None:
    names = builder.deployment.names
    for bucket in (names.quarantine_bucket, names.manifest_bucket, names.output_bucket):
        assert cli("load", f"s3://{bucket}/", "--yes").code == 2


def test_without_permission_one_sentence_says_which(cli: Cli, old: Builder, deny: Deny) -> None:
    for operation, permission in (
        ("ListObjectsV2", "s3:ListBucket"),
        ("Query", "dynamodb:Query"),
        ("SendMessageBatch", "sqs:SendMessage"),
        ("GetQueueAttributes", "sqs:GetQueueAttributes"),
        ("GetQueueUrl", "sqs:GetQueueUrl"),
    ):
        deny(operation)
        done = cli("load", OLD, "--yes")
        assert done.code == 1, operation
        assert f"they lack {permission}" in done.err


def test_without_an_endpoint_or_a_queue_one_sentence_says_so(cli: Cli, old: Builder) -> None:
    done = cli("load", PREFIX, "--yes", "--endpoint-url", "http://127.0.0.1:9")
    assert done.code == 1
    assert "nothing answers at" in done.err
    missing = replace(old.deployment.names, environment="prod")
    assert missing.queue
    done = cli("load", PREFIX, "--yes", "--env", "prod")
    assert done.code == 1
    assert "there is no" in done.err
