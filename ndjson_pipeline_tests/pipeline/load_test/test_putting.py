"""Files put at a rate."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lambda_ingest.contract.settings import DateSource, InputSettings
from ndjson_pipeline.load_test.plan import LoadTestPlan, LoadTestPlanError, plan_load_test
from ndjson_pipeline.load_test.putting import Puts, put_files
from ndjson_pipeline.loading.rules import LoadRules

NOW = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
RULES = LoadRules(InputSettings(expected_file_size_mb=0.0), 10, 0.0)


class Clock:
    """Time that passes by sleeping alone, for several threads."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.time = max(self.time, 1000.0) + seconds


class Bucket:
    """S3, as a load test uses it."""

    def __init__(self, errors: dict[int, Exception] | None = None) -> None:
        self.keys: list[str] = []
        self._errors = errors or {}
        self._lock = threading.Lock()

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str) -> Any:  # noqa: N803
        assert (Bucket, IfNoneMatch) == ("input", "*")
        assert Body
        number = int(Key[-13:-7])
        if number in self._errors:
            raise self._errors[number]
        with self._lock:
            self.keys.append(Key)
        return {
            "ResponseMetadata": {"HTTPHeaders": {"date": "Fri, 30 Jan 2026 12:00:00 GMT"}, "RetryAttempts": 0}
        }


def planned(files: int = 60, **changes: Any) -> LoadTestPlan:
    options: dict[str, Any] = {
        "bucket": "input",
        "files": files,
        "rate": 20.0,
        "concurrency": 1,
        "size_bytes": 1_000,
        "label": "0123abcd",
        "now": NOW,
    }
    rules = changes.pop("rules", RULES)
    return plan_load_test(rules, **{**options, **changes})


def put(plan: LoadTestPlan, bucket: Bucket, clock: Clock, *, stopped: bool = False) -> Puts:
    return put_files(
        bucket,  # type: ignore[arg-type]
        plan,
        plan.contents(1),
        bucket="input",
        prefix="pipeline/input/",
        now=clock.now,
        sleep=clock.sleep,
        is_stopped=lambda: stopped,
        tell=lambda _done: None,
    )


def test_each_file_goes_in_once_when_it_is_due() -> None:
    bucket, clock = Bucket(), Clock()
    puts = put(planned(), bucket, clock)
    assert bucket.keys == [f"pipeline/input/{name}" for name in planned().names]
    assert clock.time - 1000.0 == pytest.approx(59 / 20)
    assert puts.files_a_second == pytest.approx(60 / (59 / 20))
    assert not puts.errors


def test_several_at_once_put_each_file_once() -> None:
    bucket = Bucket()
    puts = put(planned(200, concurrency=16), bucket, Clock())
    assert len(set(bucket.keys)) == len(bucket.keys) == len(puts.answered_at) == 200


def test_what_fails_is_counted_and_the_rest_goes_in() -> None:
    errors: dict[int, Exception] = {
        3: ClientError({"Error": {"Code": "SlowDown"}}, "PutObject"),
        9: EndpointConnectionError(endpoint_url="http://x"),
    }
    puts = put(planned(), Bucket(errors), Clock())
    assert puts.errors == {"SlowDown": 1, "EndpointConnectionError": 1}
    assert len(puts.answered_at) == 58


def test_where_all_fails_it_breaks_off() -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")
    puts = put(planned(1_000), Bucket(dict.fromkeys(range(1_001), denied)), Clock())
    assert puts.is_broken_off
    assert puts.errors.total() < 50


def test_a_person_can_stop_it() -> None:
    bucket = Bucket()
    assert not put(planned(), bucket, Clock(), stopped=True).answered_at
    assert bucket.keys == []


@pytest.mark.parametrize(
    ("rules", "files", "changes", "said"),
    [
        (RULES, 15, {}, "5 of 15 files would wait .* pass --files 10"),
        (RULES, 3, {}, "pass --files 10"),
        (LoadRules(InputSettings(), 10, 0.0), 10, {}, "size out of tolerance"),
        (
            LoadRules(InputSettings(expected_file_size_mb=0, input_extensions=(".ndjson.gz",)), 10, 0.0),
            10,
            {},
            "no plain",
        ),
        (
            LoadRules(InputSettings(expected_file_size_mb=0, date_sources=(DateSource.PATH,)), 10, 0.0),
            10,
            {},
            "no date",
        ),
    ],
)
def test_what_could_not_come_out_is_said_before(
    rules: LoadRules, files: int, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(LoadTestPlanError, match=said):
        planned(files, rules=rules, **changes)


def test_files_have_the_expected_size_and_a_label_in_their_names() -> None:
    plan = planned(10, rules=LoadRules(InputSettings(), 10, 0.0), size_bytes=None)
    assert plan.size_bytes == pytest.approx(3.5 * 1024**2, abs=1)
    assert plan.names[0] == "2026-01-30-loadtest-0123abcd-000001.ndjson"
    assert planned(15, rules=LoadRules(RULES.input, 10, 60.0)).names[14].endswith("-000015.ndjson")
