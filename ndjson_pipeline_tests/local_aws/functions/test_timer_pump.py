"""From a timer to a function."""

import itertools
import json
from datetime import UTC, datetime

from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings
from ndjson_pipeline.local_aws.functions.timer_pump import scheduled_event
from ndjson_pipeline_tests.local_aws.conftest import FUNCTIONS, eventually


def test_ticks_never_overlap(tmp_path):
    records = tmp_path / "records"
    records.mkdir()
    settings = LocalAwsSettings(
        sweeper_handler="queue_functions.tick",
        python_path=(FUNCTIONS,),
        lambda_variables={"RECORD_DIRECTORY": str(records)},
        queue_enabled=False,
        # Shorter than an invocation takes.
        sweep_interval_seconds=0.05,
    )
    with LocalAws(directory=tmp_path / "aws", settings=settings) as aws:
        eventually(lambda: len(list(records.glob("*-tick.json"))) >= 3)
        sweeper = aws.names.sweeper_function
    ticks = [json.loads(path.read_text()) for path in sorted(records.glob("*-tick.json"))]
    for earlier, later in itertools.pairwise(ticks):
        assert later["started"] >= earlier["ended"]
    assert ticks[0]["event"]["source"] == "aws.events"
    assert ticks[0]["event"]["resources"] == [f"arn:aws:events:us-east-1:123456789012:rule/{sweeper}"]


def test_event_has_the_services_shape():
    event = scheduled_event("123456789012", "us-east-1", "sweep", datetime(2026, 1, 30, 12, tzinfo=UTC))
    assert set(event) == {
        *("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
    }
    assert event["time"] == "2026-01-30T12:00:00Z"
    assert event["detail-type"] == "Scheduled Event"
