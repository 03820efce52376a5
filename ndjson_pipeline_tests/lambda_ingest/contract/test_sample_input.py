"""Generated input: every rate and option, refused before anything is written where it makes no sense."""

import json
import random
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lambda_ingest.contract.sample_input import (
    DEFAULT_FILE_SIZE_MB,
    BucketSink,
    FolderSink,
    Generated,
    GeneratorRequest,
    GeneratorRequestError,
    generate,
    generate_lines,
)
from lambda_ingest.contract.validation import AcceptedFile, validate
from lambda_ingest.generate_ndjson import handler
from lambda_ingest.settings import Settings
from ndjson_pipeline.local_aws import lambda_environment
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, FakeClock, FakeContext, Ingest

NAME = re.compile(r"\d{4}-\d{2}-\d{2}-test\d{4}-\d{6}-[0-9a-f]{8}\.ndjson")
SMALL = 0.001


class MemorySink:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def write(self, name: str, lines: Iterator[bytes]) -> int:
        self.files[name] = b"".join(lines)
        return len(self.files[name])


def run(
    request: GeneratorRequest, seconds: float = float("inf"), reserved: float = 0.0
) -> tuple[Generated, MemorySink, list[float]]:
    """Generate on a clock that only sleeping moves."""
    clock, sink, slept = FakeClock(), MemorySink(), []

    def sleep(delay: float) -> None:
        slept.append(delay)
        clock.advance(seconds=delay)

    generated = generate(
        request,
        sink,
        clock=clock,
        sleep=sleep,
        remaining_seconds=lambda: seconds - (clock.now - NOON).total_seconds(),
        reserved_seconds=reserved,
    )
    return generated, sink, slept


@pytest.mark.parametrize(
    ("rate", "delay"), [("immediate", None), ("fast", 1.0), ("medium", 5.0), ("slow", 10.0)]
)
def test_each_rate_waits_as_documented(rate: str, delay: float | None) -> None:
    _, sink, slept = run(GeneratorRequest(4, rate, file_size_mb=SMALL))
    assert slept == ([] if delay is None else [delay] * 3)
    assert len(sink.files) == 4


def test_the_random_rate_waits_one_to_ten_seconds() -> None:
    _, _, slept = run(GeneratorRequest(50, "random", file_size_mb=SMALL, seed=3))
    assert all(1 <= delay <= 10 for delay in slept)
    assert len(set(slept)) > 40


def test_a_delay_overrides_the_rate() -> None:
    _, _, slept = run(GeneratorRequest(3, "slow", delay_seconds=0.5, file_size_mb=SMALL))
    assert slept == [0.5, 0.5]


def test_names_are_those_of_the_contract_and_of_todays_date() -> None:
    _, sink, _ = run(GeneratorRequest(3, file_size_mb=SMALL))
    assert all(NAME.fullmatch(name) for name in sink.files)
    assert {name[:10] for name in sink.files} == {"2026-01-30"}
    assert [name[11:19] for name in sink.files] == ["test0001", "test0002", "test0003"]
    _, sink, _ = run(GeneratorRequest(1, date_prefix=date(2025, 6, 1), file_size_mb=SMALL))
    assert next(iter(sink.files)).startswith("2025-06-01-")


def test_the_same_seed_gives_the_same_files() -> None:
    first, second, other = (run(GeneratorRequest(2, file_size_mb=SMALL, seed=seed))[1] for seed in (5, 5, 6))
    assert first.files == second.files
    assert first.files != other.files
    drawn, sink, _ = run(GeneratorRequest(2, file_size_mb=SMALL))
    assert run(GeneratorRequest(2, file_size_mb=SMALL, seed=drawn.seed))[1].files == sink.files


def test_records_are_json_and_files_are_of_the_size_asked_for() -> None:
    lines = list(generate_lines(date(2026, 1, 30), 100_000, random.Random(1)))
    assert 100_000 <= sum(map(len, lines)) < 101_000
    records = [json.loads(line) for line in lines]
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    assert all(record["event_time"].startswith("2026-01-30T") for record in records)


def test_generated_files_of_the_default_size_pass_the_size_check(ingest: Ingest) -> None:
    _, sink, _ = run(GeneratorRequest(1))
    ((name, content),) = sink.files.items()
    event = ingest.put(name, content)
    created = {"size": len(content), "etag": event["s3"]["object"]["eTag"]}
    settings = Settings("m", "t", expected_file_size_mb=DEFAULT_FILE_SIZE_MB, size_tolerance_percent=1)
    from lambda_ingest.contract.created_objects import ObjectCreated  # noqa: PLC0415 - used once, beside what it is for

    judged = validate(ObjectCreated("in", ingest.key(name), created["size"], created["etag"]), settings, NOON)
    assert isinstance(judged, AcceptedFile)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"file_count": 0}, "file_count must be a whole number from 1 to 10000, got 0"),
        ({"file_count": 2.5}, "file_count must be"),
        ({"file_count": True}, "file_count must be"),
        ({"ingestion_rate": "warp"}, "one of immediate, fast, medium, slow, random"),
        ({"delay_seconds": -1}, "delay_seconds must be"),
        ({"date_prefix": "2026-02-30"}, "date_prefix must be a date"),
        ({"file_size_mb": "big"}, "file_size_mb must be"),
        ({"filecount": 3}, "'filecount' is no field"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(event: dict[str, Any], said: str) -> None:
    with pytest.raises(GeneratorRequestError) as caught:
        GeneratorRequest.parse(event)
    assert said in str(caught.value)


def test_the_documented_event_is_the_default_request() -> None:
    documented = {
        "file_count": 20,
        "ingestion_rate": "immediate",
        "delay_seconds": None,
        "date_prefix": None,
        "file_size_mb": None,
    }
    assert GeneratorRequest.parse(documented) == GeneratorRequest.parse({}) == GeneratorRequest()


@pytest.mark.parametrize(("count", "fits"), [(56, True), (57, False)])
def test_a_rate_that_would_outlast_the_time_is_refused_before_anything_is_written(
    count: int, fits: bool
) -> None:
    request = GeneratorRequest(count, "fast", file_size_mb=SMALL)
    if fits:
        assert len(run(request, seconds=60, reserved=5)[1].files) == count
        return
    sink = MemorySink()
    with pytest.raises(GeneratorRequestError, match=r"57 files at this rate take 56 s .* there are 55 s"):
        generate(
            request,
            sink,
            clock=FakeClock(),
            sleep=lambda _: None,
            remaining_seconds=lambda: 60.0,
            reserved_seconds=5,
        )
    assert sink.files == {}


def test_writing_that_takes_too_long_stops_early_and_says_so() -> None:
    remaining = iter([60.0, 60.0, 60.0, 4.0])
    sink = MemorySink()
    generated = generate(
        GeneratorRequest(10, file_size_mb=SMALL),
        sink,
        clock=FakeClock(),
        sleep=lambda _: None,
        remaining_seconds=lambda: next(remaining),
        reserved_seconds=5,
    )
    assert generated.stopped_early
    assert len(sink.files) == 3


def test_a_folder_gets_whole_files_only(tmp_path: Path) -> None:
    FolderSink(tmp_path / "new").write("a.ndjson", iter([b"1\n", b"2\n"]))
    assert (tmp_path / "new" / "a.ndjson").read_bytes() == b"1\n2\n"

    def breaks() -> Iterator[bytes]:
        yield b"1\n"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        FolderSink(tmp_path / "new").write("b.ndjson", breaks())
    assert not (tmp_path / "new" / "b.ndjson").exists()


def test_a_large_file_is_streamed_to_the_bucket(ingest: Ingest) -> None:
    sink = BucketSink(ingest.clients.s3, bucket=ingest.settings.input_bucket or "", prefix="pipeline/input/")
    lines = [f"{number:099d}\n".encode() for number in range(200_000)]
    assert sink.write("2026-01-30-large.ndjson", iter(lines)) == 20_000_000
    body = ingest.clients.s3.get_object(
        Bucket=ingest.settings.input_bucket or "", Key="pipeline/input/2026-01-30-large.ndjson"
    )["Body"].read()
    assert body == b"".join(lines)


def test_the_lambda_writes_into_the_input_bucket(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in lambda_environment().items():
        monkeypatch.setenv(name, value)
    context: Any = FakeContext()
    answer = handler({"file_count": 3, "file_size_mb": SMALL, "seed": 1}, context)
    assert answer["files_created"] == 3
    assert answer["stopped_early"] is False
    assert sorted(ingest.keys(ingest.settings.input_bucket)) == [ingest.key(name) for name in answer["files"]]
    with pytest.raises(GeneratorRequestError, match="take 190 s"):
        handler({"ingestion_rate": "slow", "file_size_mb": SMALL}, context)
    assert len(ingest.keys(ingest.settings.input_bucket)) == 3
