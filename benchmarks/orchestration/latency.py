"""Times the way from a manifest's commit to its Glue run, on the whole platform.

    python -m benchmarks.orchestration.latency [--manifests 20]

Manifests come one by one, each at a random moment after the last one's run has ended: what is measured is the
sensor, the queue and the start of a run's process, not the wait for a place.
"""

import argparse
import random
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.dates import parse_utc_timestamp
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.laptop.dagster_process import daemon_command
from ndjson_pipeline.laptop.demo.observation import read_tracking
from ndjson_pipeline.laptop.demo.run import DEMO_SETTINGS
from ndjson_pipeline.laptop.platform import LocalPlatform

_LONGEST_PAUSE_SECONDS = 5.0
_DEADLINE_SECONDS = 120.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Times the launch of runs.")
    parser.add_argument("--manifests", type=int, default=20)
    arguments = parser.parse_args()
    source = random.Random(1)
    seconds = []
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalPlatform(Path(folder), daemon_command(), settings=DEMO_SETTINGS) as platform,
    ):
        deployment = platform.deployment()
        with platform.instance() as instance:
            platform.await_sensors(instance)
        for number in range(arguments.manifests):
            time.sleep(source.uniform(0, _LONGEST_PAUSE_SECONDS))
            # A past date is flushed by each late file, so that a file is a manifest.
            date = (utc_now().date() - timedelta(days=2 + number)).isoformat()
            seconds.append(_launch_seconds(platform, deployment, date))
            print(f"{number + 1}: {seconds[-1]:.1f} s", flush=True)
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    print(
        f"{len(seconds)} manifests: median {statistics.median(seconds):.1f} s, p95 {p95:.1f} s, "
        f"longest {ordered[-1]:.1f} s from commit to StartJobRun"
    )


def _launch_seconds(platform: LocalPlatform, deployment: Deployment, date: str) -> float:
    """Put a file, wait for its end, and return the seconds from its manifest's commit to Glue's start."""
    deployment.s3.put_object(
        Bucket=deployment.names.input_bucket,
        Key=f"{deployment.settings.input_prefix}{date}-a.ndjson",
        Body=b'{"n": 1}\n',
    )
    record = _await_completed(platform, deployment, date)
    run = deployment.glue.get_job_run(JobName=deployment.names.glue_job, RunId=record.glue_job_run_id or "")[
        "JobRun"
    ]
    return (run["StartedOn"] - parse_utc_timestamp(record.created_at)).total_seconds()


def _await_completed(platform: LocalPlatform, deployment: Deployment, date: str) -> ManifestRecord:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        platform.check_alive()
        for record in read_tracking(deployment, [date]).manifests:
            if record.status is ManifestStatus.COMPLETED:
                return record
        time.sleep(0.2)
    raise SystemExit(f"the manifest of {date} was not converted within {_DEADLINE_SECONDS:g} s")


if __name__ == "__main__":
    main()
