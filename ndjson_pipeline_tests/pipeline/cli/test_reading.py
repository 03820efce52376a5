"""Commands that read: of an empty pipeline, a busy one, and broken ones."""

import json
from typing import Any

import pytest

from ndjson_pipeline_tests.pipeline.cli.conftest import CONVERTED, REFUSED, WAITING, Busy, Cli, Deny, drain
from ndjson_pipeline_tests.pipeline.harness import DATE

pytestmark = pytest.mark.usefixtures("deployment", "emptied")

READING = [
    ["status"],
    ["status", "--date", DATE],
    ["manifests"],
    ["manifests", "--date", DATE],
    ["manifests", "--status", "failed"],
    ["files", "--date", DATE],
    ["quarantine", "list"],
    ["quarantine", "list", "--date", DATE],
    ["rejects", "--date", DATE],
    ["dlq", "list"],
    ["lock", "show", "--date", DATE],
]
# One of each command is enough where nothing can be read.
BROKEN = [
    ["status"],
    ["manifests", "--date", DATE],
    ["file", CONVERTED],
    ["files", "--date", DATE],
    ["quarantine", "list"],
    ["rejects", "--date", DATE],
    ["dlq", "list"],
    ["lock", "show", "--date", DATE],
]


def name_of(arguments: list[str]) -> str:
    return " ".join(arguments)


@pytest.mark.parametrize("arguments", READING, ids=name_of)
def test_an_empty_pipeline_is_shown_as_one(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.code == 0, done
    assert done.out.strip()
    done = cli(*arguments, "--json")
    assert done.code == 0
    assert "error" not in done.document


@pytest.mark.parametrize("arguments", READING, ids=name_of)
def test_a_busy_one_fits_the_terminal_and_shows_nothing_raw(
    cli: Cli, busy: Busy, arguments: list[str]
) -> None:
    shown = cli(*arguments)
    told = cli("--json", *arguments)
    # It has failed manifests, which `status` tells by its exit code too.
    expected = 3 if arguments[0] == "status" else 0
    assert (shown.code, told.code) == (expected, expected), shown
    assert told.document
    for character in ("\x1b", "\u202e", "\x07"):
        assert character not in shown.out + told.out


@pytest.mark.parametrize(
    "arguments", [*BROKEN, ["quarantine", "show", REFUSED], ["dlq", "show", "no-such-id"]], ids=name_of
)
def test_no_permission_is_one_sentence_that_names_it(cli: Cli, deny: Deny, arguments: list[str]) -> None:
    deny()
    done = cli(*arguments)
    assert done.code == 1
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert "these credentials may not use" in done.err
    assert any(f"{service}:" in done.err for service in ("dynamodb", "s3", "sqs"))


@pytest.mark.parametrize("arguments", BROKEN, ids=name_of)
def test_what_was_never_deployed_is_one_sentence(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments, "--feed", "absent", "--json")
    assert done.code == 1
    error = done.document["error"]
    assert error["exit_code"] == 1
    assert "there is no" in error["message"]
    assert "absent" in error["message"]


@pytest.mark.parametrize("where", ["before", "after"])
def test_where_nothing_answers_the_address_is_named(cli: Cli, where: str) -> None:
    endpoint = ["--endpoint-url", "http://127.0.0.1:9"]
    done = cli(*endpoint, "status", "--json") if where == "before" else cli("--json", "status", *endpoint)
    assert done.code == 1
    assert "nothing answers at http://127.0.0.1:9" in done.document["error"]["message"]


def test_without_credentials_it_says_how_to_get_some(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    done = cli("status")
    assert done.code == 1
    assert "log in" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["files"],
        ["files", "--date", "yesterday"],
        ["manifests", "--status", "odd"],
        ["status", "--env", "nowhere"],
        ["status", "--feed", "Orders"],
        ["no-such-command"],
        ["status", "--no-such-option"],
    ],
    ids=name_of,
)
def test_a_call_that_makes_no_sense_is_2(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.code == 2, done
    assert len(done.err.splitlines()) == 1
    told = cli(*arguments, "--json")
    assert told.document["error"]["exit_code"] == 2


def test_debug_shows_the_stack(capsys: pytest.CaptureFixture[str], cli: Cli) -> None:
    from ndjson_pipeline.cli.app import run  # noqa: PLC0415 - the fixture forbids stacks

    assert run(["status", "--feed", "absent", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_status_counts_what_is_open_and_says_what_is_wrong(cli: Cli, busy: Busy) -> None:
    found = cli("status", "--date", DATE, "--json").document
    assert found["files"]["pending"] == 1
    assert found["files"]["pending_mb"] == 3
    assert found["manifests"] == {"pending": 1, "processing": 1, "failed": 1}
    assert found["last_hour"]["files_processed"] == 12
    assert found["runs"][0]["dagster_run_id"] == "run-3"
    assert found["date"]["files"] == {"manifested": 2, "pending": 1, "quarantined": 1, "unknown": 1}
    assert sorted(found["date"]["rows_of_other_shapes"]) == ["MANIFEST", "MANIFEST#other", "no-path"]
    assert any("reprocess --failed" in one for one in found["wrong"])
    assert any("past date" in one for one in found["wrong"])


def test_status_goes_on_without_what_it_may_not_see(cli: Cli, busy: Busy, deny: Deny) -> None:
    deny("GetQueueUrl", "GetJobRuns")
    found = cli("status", "--json").document
    assert found["queue"] is None
    assert found["manifests"]["failed"] == 1
    assert any("sqs:GetQueueUrl" in one for one in found["unseen"])


def test_manifests_of_a_date_are_all_with_the_legacy_row(cli: Cli, busy: Busy) -> None:
    found = cli("manifests", "--date", DATE, "--json").document
    assert found["total"] == 6
    assert found["by_status"] == {"?": 1, "completed": 2, "failed": 1, "pending": 1, "processing": 1}
    odd = {row["name"] for row in found["manifests"] if row["is_odd"]}
    assert odd == {"MANIFEST", "other"}
    some = cli("manifests", "--date", DATE, "--limit", "2", "--json").document
    assert (len(some["manifests"]), some["total"], some["is_cut"]) == (2, 6, True)
    failed = cli("manifests", "--date", DATE, "--status", "failed", "--json").document
    assert [row["status"] for row in failed["manifests"]] == ["failed"]


def test_what_is_completed_is_read_a_date_at_a_time(cli: Cli) -> None:
    done = cli("manifests", "--status", "completed")
    assert done.code == 1
    assert "--date" in done.err


def test_files_go_on_behind_a_name(cli: Cli, busy: Busy) -> None:
    first = cli("files", "--date", DATE, "--limit", "2", "--json").document
    rest = cli("files", "--date", DATE, "--after", first["next_after"], "--json").document
    keys = [row["key"] for row in first["files"] + rest["files"]]
    assert keys == sorted([CONVERTED, REFUSED, WAITING, "encoded-hostile", "no-path"])
    assert rest["next_after"] is None
    refused = cli("files", "--date", DATE, "--status", "quarantined", "--json").document
    assert [row["key"] for row in refused["files"]] == [REFUSED]


def test_rejects_are_counted_by_reason_and_file(cli: Cli, busy: Busy) -> None:
    found = cli("rejects", "--date", DATE, "--json").document
    assert found["records"] == 2
    assert found["reasons"] == {"not JSON": 1, "a line of another shape": 1}
    assert found["samples"][0]["line_number"] == 3


def test_a_dead_letter_is_shown_and_stays(cli: Cli, busy: Busy) -> None:
    deployment, names = busy.deployment, busy.deployment.names
    sqs: Any = _sqs()
    url = sqs.get_queue_url(QueueName=names.dead_letter_queue)["QueueUrl"]
    event = {
        "Records": [
            {"s3": {"bucket": {"name": names.input_bucket}, "object": {"key": "pipeline/input/a+b.ndjson"}}}
        ]
    }
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
    sent = sqs.send_message(QueueUrl=url, MessageBody="no JSON \x1b[31m")
    try:
        for _ in range(2):
            found = cli("dlq", "list", "--json").document
            assert len(found["messages"]) == 2
        objects = [one for message in found["messages"] for one in message["objects"]]
        assert objects == [f"s3://{names.input_bucket}/pipeline/input/a b.ndjson"]
        shown = cli("dlq", "show", sent["MessageId"])
        assert shown.code == 0
        assert "no JSON object" in shown.out
        assert "\x1b" not in shown.out
        assert cli("status").code == 3
    finally:
        drain(sqs, url)
    assert deployment.names.queue != names.dead_letter_queue


def test_lock_show_says_who_holds_a_date(cli: Cli, busy: Busy) -> None:
    found = cli("lock", "show", "--date", DATE, "--json").document
    assert found["lock"]["lock_id"] == "held-by-a"
    assert found["lock"]["is_live"] is True
    assert cli("lock", "show", "--date", "2026-01-29", "--json").document["lock"] is None


def test_quarantine_tells_the_reason(cli: Cli, busy: Busy) -> None:
    found = cli("quarantine", "list", "--json").document
    assert [(one["key"], one["reason"]) for one in found["files"]] == [
        (f"pipeline/input/{REFUSED}", "size out of tolerance: 9 MB")
    ]
    assert cli("quarantine", "show", REFUSED).code == 0
    assert cli("quarantine", "show", "absent.ndjson").code == 1


def test_watching_ends_with_ctrl_c(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("ndjson_pipeline.cli.status.sleep", sleep)
    done = cli("status", "--watch", "--every", "3", "--json")
    assert (done.code, looks) == (0, [3.0, 3.0])
    assert len([json.loads(line) for line in done.out.splitlines()]) == 2


def _sqs() -> Any:
    import boto3  # noqa: PLC0415 - inside the mock

    return boto3.client("sqs")
