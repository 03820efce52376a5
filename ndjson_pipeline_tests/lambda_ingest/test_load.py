"""Sixteen handlers at once on the local AWS: every file ends in exactly one manifest."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from lambda_ingest.runtime import Clients
from lambda_ingest.settings import Settings
from ndjson_pipeline.local_aws import LocalAwsProcess, LocalAwsSettings, lambda_environment
from ndjson_pipeline_tests.lambda_ingest.harness import FakeClock, Ingest, s3_event

HANDLERS = 16
# Sixteen handlers meet at the locks of three dates from the first batch on; `make soak` takes 2,000 files.
FILES = int(os.environ.get("LOAD_FILES", "400"))
BATCH = 10


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ingest]:
    """Ingest against a server of its own, whose queue and timer are left to the test."""
    settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
    with LocalAwsProcess(directory=tmp_path, settings=settings) as aws:
        for name, value in aws.client_environment().items():
            monkeypatch.setenv(name, value)
        # The default session of earlier tests has read another configuration.
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        yield Ingest(
            Settings.from_environment(lambda_environment()),
            Clients.from_boto3(),
            FakeClock(datetime.now(UTC)),
        )


@pytest.mark.timeout(300)
def test_each_of_many_files_ends_in_exactly_one_manifest(served: Ingest) -> None:
    draw = random.Random(11)
    days = [served.clock.now.date() - timedelta(days=back) for back in range(3)]
    events = [
        s3_event(
            served.settings.input_bucket or "",
            served.key(f"{days[number % 3].isoformat()}-f{number:05d}.ndjson"),
            size=1000,
            etag=f"{number:032x}",
            time=served.clock.now,
        )
        for number in range(FILES)
    ]
    deliveries = events + draw.sample(events, FILES // 10)
    draw.shuffle(deliveries)
    batches = [deliveries[first : first + BATCH] for first in range(0, len(deliveries), BATCH)]
    # One table serves every thread; each handler has a runtime of its own, as an execution environment has.
    clients = Clients.from_boto3()
    runtimes = [served.runtime(clients, metrics_table=None) for _ in range(HANDLERS)]

    def work(handler: int) -> list[str]:
        failed = []
        for batch in batches[handler::HANDLERS]:
            failed += served.deliver(*batch, runtime=runtimes[handler])
        return failed

    with ThreadPoolExecutor(max_workers=HANDLERS) as pool:
        failures = [failure for failed in pool.map(work, range(HANDLERS)) for failure in failed]
    assert failures == []
    served.clock.advance(days=1)
    assert served.sweep(audit=False)["failed"] == []
    listed = Counter(file.uri for manifest in served.manifests() for file in manifest.files)
    assert len(listed) == FILES
    assert set(listed.values()) == {1}
    for record in served.file_records().values():
        assert record["status"] == "manifested"
    sequences = Counter((m.name.date_prefix, m.name.sequence) for m in served.manifests())
    assert set(sequences.values()) == {1}
