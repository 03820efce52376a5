"""Alerts as a person reads them, and the file that they are read from."""

import json
from datetime import UTC, datetime
from pathlib import Path

from lambda_ingest.aws.alerts import Alerts, OverwrittenFile, RefusedExample
from ndjson_pipeline.laptop.alerts import PublishedAlerts, alert_of, last_alerts
from ndjson_pipeline.sensors.failure_alert import alert_document, encode
from ndjson_pipeline_tests.pipeline.harness import NOW
from ndjson_pipeline_tests.pipeline.sensors.test_failure_alert import failed_run, failure

TIME = "2026-01-30T12:00:00.123456+00:00"


def line(message: str, subject: str | None = "subject") -> str:
    return json.dumps(
        {"time": TIME, "topic": "ndjson-parquet-alerts-dev", "subject": subject, "message": message}
    )


def shown(message: str) -> str:
    alert = alert_of(line(message))
    assert alert is not None
    return "\n".join(alert.lines())


class Sns:
    """Keeps what ingest publishes."""

    message = ""

    def publish(self, *, Message: str, **_: str) -> None:  # noqa: N803 - AWS's name
        self.message = Message


def ingest() -> tuple[Sns, Alerts]:
    sns = Sns()
    return sns, Alerts(sns, topic_arn="arn", clock=lambda: datetime(2026, 1, 30, tzinfo=UTC))


def test_a_failed_conversion_names_date_manifest_and_next_step() -> None:
    document = alert_document(failed_run(failure(1, "no such column\nmore")), "job", NOW)
    text = shown(encode(document))
    assert text.startswith("ALERT 2026-01-30 12:00:00 UTC  a conversion failed\n")
    assert "date      2026-01-30" in text
    assert "manifest  s3://" in text
    assert "cause     no such column / more" in text
    assert "Glue run  jr_1" in text
    assert "next      mend the cause" in text


def test_a_failure_that_is_tried_again_says_so() -> None:
    document = alert_document(failed_run(failure(1, "busy", will_retry=True)), "job", NOW)
    assert "another attempt follows by itself" in shown(encode(document))


def test_a_failed_run_without_a_manifest_leads_to_its_log() -> None:
    text = shown(encode(alert_document(failed_run(cause="no place"), "job", NOW)))
    assert "cause  no place" in text
    assert "open the run" in text


def test_overwritten_and_refused_files_are_told() -> None:
    sns, alerts = ingest()
    files = [OverwrittenFile(f"s3://in/{number}", "2026-01-30", "e", True, "r") for number in range(9)]
    alerts.overwritten(files)
    text = shown(sns.message)
    assert "s3://in/0, s3://in/1, s3://in/2 and 6 more" in text
    assert "under a new name" in text
    alerts.refused(count=12, since=None, reasons={"size": 12}, examples=[RefusedExample("s3://in/x", "size")])
    text = shown(sns.message)
    assert "12 refused" in text
    assert "size: 12" in text
    assert "s3://in/x" in text
    assert "quarantine bucket" in text


def test_what_a_producer_wrote_takes_no_effect_and_fills_no_screen() -> None:
    document = alert_document(failed_run(failure(1, "\x1b[2J" + "x" * 100_000)), "job", NOW)
    text = shown(encode(document))
    assert "\x1b" not in text
    assert len(text) < 3_000


def test_messages_of_others_are_shown_as_they_are() -> None:
    assert "says  hello" in shown("hello")
    assert "says  [1]" in shown("[1]")
    assert alert_of("no JSON") is None
    assert alert_of("{}") is None
    assert alert_of("[1]") is None


def test_each_alert_is_read_once_and_a_flood_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "published.jsonl"
    path.write_text(line("of a former start") + "\n")
    alerts = PublishedAlerts(tmp_path)
    assert alerts.new() == ([], 0)
    with path.open("a") as file:
        file.write(line("whole") + "\n" + line("half")[:20])
    found, more = alerts.new()
    assert [alert.facts["says"] for alert in found] == ["whole"]
    assert more == 0
    with path.open("a") as file:
        file.write(line("half")[20:] + "\n" + "".join(line(str(number)) + "\n" for number in range(8)))
    found, more = alerts.new()
    assert ([alert.facts["says"] for alert in found], more) == (["3", "4", "5", "6", "7"], 4)
    assert alerts.new() == ([], 0)
    # The file was put aside, and a new one begun.
    path.write_text(line("new") + "\n")
    assert [alert.facts["says"] for alert in alerts.new()[0]] == ["new"]


def test_the_last_alerts_are_there_after_the_end(tmp_path: Path) -> None:
    assert last_alerts(tmp_path, 3) == []
    (tmp_path / "published.1.jsonl").write_text(line("1") + "\n" + line("2") + "\n")
    (tmp_path / "published.jsonl").write_text(line("3") + "\n" + "damaged\n" + line("4") + "\n")
    assert [alert.facts["says"] for alert in last_alerts(tmp_path, 3)] == ["2", "3", "4"]
