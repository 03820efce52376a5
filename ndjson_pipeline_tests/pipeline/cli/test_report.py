"""`report`: a day on one page, of an empty pipeline, a busy one, and broken ones."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from glue_jobs.writing.names import output_key
from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.items import to_item
from lambda_ingest.contract.keys import report_key
from ndjson_pipeline.claims.totals import GlueCharge, ManifestNumbers
from ndjson_pipeline_tests.pipeline.cli.conftest import HOSTILE, Busy, Cli, Deny
from ndjson_pipeline_tests.pipeline.harness import (
    DATE,
    day,
    glue_report_document,
    make_name,
    outcome,
)

pytestmark = pytest.mark.usefixtures("deployment", "emptied")

REPORT = ("report", "--date", DATE)
GLUE_RUN = "jr_" + "1" * 64
NUMBERS = ManifestNumbers(
    records_read=8,
    records_processed=7,
    records_rejected=1,
    records_rescued=1,
    parquet_files=1,
    input_bytes=1_048_576,
    output_bytes=262_144,
)


def convert(busy: Busy, date: str, *, loses_parquet: bool = False) -> None:
    """Let one manifest of a date go its way, from its file's arrival to its Parquet and its reports."""
    manifests, deployment = busy.table, busy.deployment
    now = utc_now()
    name = manifests.commit(1, date, created_at=utc_timestamp(now - timedelta(seconds=100)))
    busy.file(
        f"{date}-a.ndjson",
        "manifested",
        date_prefix=date,
        manifest_path=manifests.path(name),
        created_at=utc_timestamp(now - timedelta(seconds=400)),
    )
    busy.file(f"{date}-b.ndjson", "quarantined", date_prefix=date, reason="empty file")
    store = manifests.store()
    record = store.find(name)
    assert record is not None
    claim = store.claim(record, "run-1")
    assert claim is not None
    store.started(claim, GLUE_RUN)
    store.charge(GlueCharge(date, GLUE_RUN, 75.0, 0.042, 0.0185))
    store.complete(claim, NUMBERS)
    if not loses_parquet:
        busy.object(deployment.names.output_bucket, output_key("", name, 0, "snappy"), bytes(1000))
    document = glue_report_document(
        replace(outcome(manifests.path(name)), rescued_columns={("user.age", "other kind"): 3})
    )
    document["job_info"]["job_run_id"] = GLUE_RUN
    bucket = deployment.names.manifest_bucket
    busy.object(bucket, report_key("glue", now, "a" * 8), json.dumps(document).encode())
    # Another's, one of another shape, and one that is no JSON.
    busy.object(
        bucket, report_key("glue", now, "b" * 8), json.dumps(document).replace("1" * 64, "2").encode()
    )
    busy.object(bucket, report_key("glue", now, "c" * 8), b"{}")
    busy.object(bucket, report_key("glue", now, "d" * 8), b"\xff")
    told = {
        "dates": {date: {"files_processed": 1, "files_quarantined": 1, "manifests_created": 1}, "x": 3},
        "errors": [{"kind": "ClientError", "subject": HOSTILE, "message": "throttled"}, "odd"],
    }
    busy.object(bucket, f"logs/lambda/{date}-T010203-aaaaaaaa-0001.json", json.dumps(told).encode())
    busy.object(bucket, f"logs/lambda/{date}-T010204-bbbbbbbb-0001.json", b"[1]")
    deployment.dynamodb.put_item(
        TableName=deployment.names.metrics_table,
        Item=to_item({"metric_type": "files_processed", "timestamp": int(now.timestamp()), "value": 1}),
    )


@pytest.fixture
def calm(manifests: Any) -> Busy:
    """A pipeline with nothing in it yet."""
    return Busy(manifests)


def test_an_empty_day_is_told_as_one(cli: Cli, tmp_path: Path) -> None:
    done = cli("report", "--date", day())
    assert done.code == 0, done
    assert f"No file of {day()} was seen." in done.out
    page = tmp_path / "day.html"
    found = cli("report", "--date", day(), "--html", str(page), "--json").document
    assert (found["state"], found["wrong"], found["html"]) == ("unknown", [], str(page))
    assert f"No file of {day()} was seen." in page.read_text()


def test_a_day_that_went_well_has_all_its_figures(cli: Cli, calm: Busy, tmp_path: Path) -> None:
    date, page = day(), tmp_path / "day.html"
    convert(calm, date)
    done = cli("report", "--date", date, "--html", str(page))
    assert done.code == 0, done
    assert f"The one accepted file of {date} is in Parquet. 1 file refused." in done.out
    assert str(page) in done.out.replace("\n", "").replace(" ", "")
    found = cli("report", "--date", date, "--json").document
    assert found["state"] == "good"
    assert found["files"]["by_status"] == {"manifested": 1, "quarantined": 1}
    assert found["files"]["refused_by_reason"] == {"empty file": 1}
    assert found["manifests"] == {
        "by_status": {"completed": 1},
        "files_by_status": {"completed": 1},
        "with_more_attempts": 0,
        "without_parquet": 0,
    }
    conversion = found["conversion"]
    assert conversion["records_read"] == conversion["records_processed"] + conversion["records_rejected"] == 8
    assert (conversion["compression_percent"], conversion["cost_usd"]) == (75, 0.0185)
    assert found["rescued_by_column"] == {"user.age: other kind": 3}
    assert found["lambda_errors"] == {"ClientError": 1}
    assert found["metrics_of_the_utc_day"]["files_processed"] == 1
    assert found["latency_seconds"]["arrival to manifest"]["p50"] == pytest.approx(300, rel=0.02)
    assert found["latency_seconds"]["arrival to Parquet"]["p95"] >= 395
    assert any("2 Glue reports could not be read" in note for note in found["notes"])
    assert "The one accepted file" in page.read_text()


def test_parquet_that_is_gone_is_wrong(cli: Cli, calm: Busy) -> None:
    convert(calm, day(), loses_parquet=True)
    done = cli("report", "--date", day(), "--json")
    assert done.code == 3
    assert done.document["wrong"][0]["next_step"] == (
        f"ndjson-pipeline reprocess --manifest {make_name(1, day()).filename}"
    )


def test_a_busy_day_is_wrong_and_shows_nothing_raw(
    cli: Cli, busy: Busy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NDJSON_DAGSTER_URL", "https://dagster.example.com")
    busy.table.commit(
        5,
        status="failed",
        attempt=1,
        error_message="<script>alert(1)</script>{{ 7*7 }}\u202e\x1b]0;x\x07",
        dagster_run_id='run"><script>',
        glue_job_run_id="jr_<b>",
        failed_time=f"{DATE}T03:00:00.000000Z",
    )
    busy.file(
        "hostile", "quarantined", reason=f"<script>{HOSTILE}</script>: x", file_path=f"s3://b/{HOSTILE}"
    )
    page = tmp_path / "day.html"
    done = cli(*REPORT, "--html", str(page))
    assert done.code == 3, done
    assert "ndjson-pipeline reprocess --failed" in done.out
    told, text = cli(*REPORT, "--json"), page.read_text()
    assert told.code == 3
    for character in ("\x1b", "\u202e", "\x07"):
        assert character not in done.out + told.out + text
    assert "<script" not in text
    assert "https://dagster.example.com/runs/run&#34;&gt;&lt;script&gt;" in text
    found = told.document
    assert found["failures"][0]["glue_run_id"] == "jr_<b>"
    assert found["rejected_by_reason"] == {"not JSON": 1, "a line of another shape": 1}
    assert found["rows_of_other_shapes"] == 3
    assert found["files"]["overwritten"] == 1
    assert [one["next_step"] for one in found["wrong"]] == [
        "ndjson-pipeline reprocess --failed",
        "ndjson-pipeline flush",
        "ndjson-pipeline doctor",
    ]


def test_a_day_whose_rows_expired_is_told_from_its_manifests(cli: Cli, calm: Busy) -> None:
    for sequence in (1, 2):
        calm.table.put_object(make_name(sequence))
    names = calm.deployment.names
    calm.object(names.output_bucket, output_key("", make_name(1), 0, "snappy"), bytes(10))
    calm.object(names.manifest_bucket, f"manifests/{DATE}/README", b"no manifest")
    done = cli(*REPORT)
    assert done.code == 0, done
    assert "have expired" in done.out
    found = cli(*REPORT, "--json").document
    # Both list the same file: a builder died between an object and its commit.
    assert found["expired_manifests"] == {
        "manifests": 2,
        "read": 2,
        "files": 1,
        "mb": pytest.approx(0, abs=0.001),
        "without_parquet": 1,
    }
    assert any("can no longer be known" in note for note in found["notes"])


def test_what_may_not_be_seen_is_said_and_is_not_zero(
    cli: Cli, calm: Busy, deny: Deny, tmp_path: Path
) -> None:
    convert(calm, day())
    deny("ListObjectsV2", "GetJobRuns", "GetObject")
    page = tmp_path / "day.html"
    done = cli("report", "--date", day(), "--html", str(page), "--json")
    assert done.code == 0, done
    found = done.document
    assert found["conversion"]["records_processed"] == 7
    for name in ("parquet", "glue_run_states", "rejected_by_reason", "rescued_by_column", "lambda_errors"):
        assert found[name] is None
    assert any("glue:GetJobRuns" in one for one in found["unseen"])
    assert any("s3:ListBucket" in one for one in found["unseen"])
    assert "Not seen: these credentials may not use" in page.read_text()


def test_no_permission_is_one_sentence(cli: Cli, deny: Deny, tmp_path: Path) -> None:
    deny()
    page = tmp_path / "day.html"
    done = cli(*REPORT, "--html", str(page))
    assert (done.code, done.out) == (1, "")
    assert "dynamodb:Query" in done.err
    assert not page.exists()


def test_what_was_never_deployed_is_one_sentence(cli: Cli) -> None:
    done = cli(*REPORT, "--feed", "absent", "--json")
    assert done.code == 1
    assert "there is no" in done.document["error"]["message"]


def test_where_nothing_answers_the_address_is_named(cli: Cli) -> None:
    done = cli(*REPORT, "--endpoint-url", "http://127.0.0.1:9")
    assert done.code == 1
    assert "nothing answers at http://127.0.0.1:9" in done.err


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_file_that_is_no_page_stays(cli: Cli, deny: Deny, tmp_path: Path, as_json: list[str]) -> None:
    deny()
    notes = tmp_path / "notes.html"
    notes.write_text("mine")
    done = cli(*REPORT, "--html", str(notes), *as_json)
    assert done.code == 1
    assert "--force" in (done.document["error"]["message"] if as_json else done.err)
    assert notes.read_text() == "mine"


def test_force_writes_over_a_file(cli: Cli, tmp_path: Path) -> None:
    notes = tmp_path / "notes.html"
    notes.write_text("mine")
    assert cli(*REPORT, "--html", str(notes), "--force").code == 0
    assert "<!doctype html>" in notes.read_text()


@pytest.mark.parametrize(
    "arguments", [["report"], ["report", "--date", "today"], ["report", "--date", "2026-02-30"]]
)
def test_a_call_that_makes_no_sense_is_2(cli: Cli, arguments: list[str]) -> None:
    assert cli(*arguments).code == 2
