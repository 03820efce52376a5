"""Dates that are older than a change of columns by hand are converted again."""

import io
import json
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from glue_jobs.arguments import parse_arguments
from glue_jobs.job import Environment, run_job
from glue_jobs.reporting.pipes import open_announcer
from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import ManifestName, s3_uri
from lambda_ingest.contract.manifest import Manifest, ManifestFile, digest_of
from lambda_ingest.contract.records import manifest_record_key
from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline_tests.glue_jobs.conftest import InProcessRunner
from ndjson_pipeline_tests.pipeline.asset_runner import ASSET, Runner, StubPipeline
from ndjson_pipeline_tests.pipeline.harness import FakeGlue, ManifestTable, day

JOB = "rebuild_changed_dates"
DAYS = [day(-offset) for offset in range(4)]


@dataclass
class Dataset:
    """A dataset that the real conversion writes, its tasks in this process.

    Attributes:
        manifests: of the deployment.
        instance: Dagster's.
        rows: what went in, by date.
    """

    manifests: ManifestTable
    instance: dg.DagsterInstance
    rows: dict[str, Counter[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.s3, self.names = self.manifests.deployment.s3, self.manifests.deployment.names
        glue = FakeGlue(("RUNNING", "SUCCEEDED"), self.convert)
        glue.states *= 100
        self.pipeline = StubPipeline(self.manifests, glue)
        self.defs = build_defs(resource_overrides={"pipeline": self.pipeline})

    def put(self, date_prefix: str, sequence: int, amounts: Sequence[float]) -> None:
        """Put a file, and commit a manifest of it as the ingest does."""
        body = "".join(json.dumps({"amount": amount}) + "\n" for amount in amounts).encode()
        key = f"pipeline/input/{date_prefix}-{sequence}.ndjson"
        etag = self.s3.put_object(Bucket=self.names.input_bucket, Key=key, Body=body)["ETag"].strip('"')
        files = (ManifestFile(s3_uri(self.names.input_bucket, key), len(body), etag),)
        name = ManifestName(date_prefix, sequence, digest_of(date_prefix, sequence, files))
        created_at = f"{date_prefix}T00:00:00.000000Z"
        document = Manifest(name, created_at, files).to_json()
        self.s3.put_object(Bucket=self.names.manifest_bucket, Key=name.key, Body=document)
        self.manifests.put_item(
            date_prefix=date_prefix,
            file_key=manifest_record_key(name.filename),
            status="pending",
            manifest_path=s3_uri(self.names.manifest_bucket, name.key),
            file_count=1,
            total_size_mb=0,
            attempt=0,
            created_at=created_at,
        )
        self.rows.setdefault(date_prefix, Counter()).update(amounts)

    def convert(self, arguments: Mapping[str, str]) -> None:
        """Do what the Glue job does with a run's arguments."""
        given = {
            "--JOB_NAME": "job",
            "--MANIFEST_BUCKET": self.names.manifest_bucket,
            "--OUTPUT_BUCKET": self.names.output_bucket,
            "--COMPRESSION_TYPE": "snappy",
            **arguments,
        }
        parsed = parse_arguments([word for pair in given.items() for word in pair])

        def none() -> Any:
            raise AssertionError("nothing is asked of Glue")

        with open_announcer(parsed.pipes, self.s3, parsed.nonce) as announcer:
            environment = Environment(
                s3=self.s3,
                make_glue=none,
                make_catalog=none,
                region=None,
                now=utc_now,
                sleep=time.sleep,
                unique=lambda: uuid.uuid4().hex,
                start_runner=lambda: nullcontext(InProcessRunner(self.s3)),
                announcer=announcer,
            )
            run_job(parsed, environment)

    def run(self, date_prefix: str) -> None:
        """Convert a date's manifests, whatever became of them, as a run of a backfill does."""
        job = self.defs.resolve_job_def("convert_manifests")
        assert job.execute_in_process(instance=self.instance, partition_key=date_prefix).success

    def launch(self, **config: Any) -> Mapping[str, Any]:
        """Launch the rebuild, and return what it says."""
        result = self.defs.resolve_job_def(JOB).execute_in_process(
            instance=self.instance,
            run_config={"ops": {"rebuild_changed": {"config": config}}},
            raise_on_error=False,
        )
        assert result.success
        (output,) = [event for event in result.all_events if event.is_successful_output]
        return {name: value.value for name, value in output.step_output_data.metadata.items()}

    def do_backfill(self, backfill_id: str) -> None:
        """Do what the daemon does with a backfill."""
        backfill = self.instance.get_backfill(backfill_id)
        assert backfill is not None
        for date_prefix in dates_of(backfill):
            self.run(date_prefix)
        self.instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS))

    def change(self, **config: Any) -> dg.ExecuteInProcessResult:
        """Launch a change of columns by hand."""
        config = {"reason": "cents came", "by": "a test", **config}
        return self.defs.resolve_job_def("change_schema").execute_in_process(
            instance=self.instance,
            run_config={"ops": {"change_columns": {"config": config}}},
            raise_on_error=False,
        )

    def output(self, date_prefix: str) -> tuple[set[str], Counter[float]]:
        """Return the types of the column in a date's files, and the rows."""
        listed = self.s3.list_objects_v2(
            Bucket=self.names.output_bucket, Prefix=f"merged-parquet-{date_prefix}/"
        )
        types, rows = set(), Counter[float]()
        for item in listed["Contents"]:
            body = self.s3.get_object(Bucket=self.names.output_bucket, Key=item["Key"])["Body"].read()
            table = pq.read_table(io.BytesIO(body))
            types.add(str(table.schema.field("amount").type))
            rows.update(table["amount"].to_pylist())
        return types, rows


def dates_of(backfill: PartitionBackfill) -> list[str]:
    assert backfill.asset_backfill_data is not None
    subset: Any = backfill.asset_backfill_data.target_subset.get_partitions_subset(ASSET)
    return sorted(subset.get_partition_keys())


@pytest.fixture
def dataset(runner: Runner, manifests: ManifestTable, instance: dg.DagsterInstance) -> Dataset:
    return Dataset(manifests, instance)


def test_after_a_change_of_a_type_all_dates_have_the_new_one_and_each_row_once(dataset: Dataset) -> None:
    for number, date_prefix in enumerate(DAYS):
        dataset.put(date_prefix, 1, [1, 2, number])
        dataset.run(date_prefix)
    dataset.put(DAYS[0], 2, [7])
    dataset.run(DAYS[0])
    assert {date_prefix: dataset.output(date_prefix) for date_prefix in DAYS} == {
        date_prefix: ({"int64"}, rows) for date_prefix, rows in dataset.rows.items()
    }
    assert dataset.launch() == {"generation": 0, "dates_seen": 0, "dates": []}

    assert dataset.change(path="amount", action="SET_TYPE", type="double").success
    first = dataset.launch(most_dates=2)
    assert (first["dates"], first["go_on_before"]) == (DAYS[:2], DAYS[1])
    backfill = dataset.instance.get_backfill(first["backfill"])
    assert backfill is not None
    assert dates_of(backfill) == sorted(DAYS[:2])
    # Behind what is live, and behind other backfills.
    assert int(backfill.tags["dagster/priority"]) < 0
    # One at a time: another launch would convert the same dates.
    assert dataset.launch() == {"backfill": first["backfill"]}
    dataset.do_backfill(first["backfill"])

    # What is done is seen by the files, so that another launch goes on with the others.
    second = dataset.launch()
    assert second["dates"] == DAYS[2:]
    assert "go_on_before" not in second
    dataset.do_backfill(second["backfill"])
    assert dataset.launch() == {"generation": 1, "dates_seen": 4, "dates": []}
    assert {date_prefix: dataset.output(date_prefix) for date_prefix in DAYS} == {
        date_prefix: ({"double"}, rows) for date_prefix, rows in dataset.rows.items()
    }


def history(dataset: Dataset) -> list[dict[str, Any]]:
    key = f"schemas/{dataset.names.output_bucket}/schema.json"
    body = dataset.s3.get_object(Bucket=dataset.names.manifest_bucket, Key=key)["Body"].read()
    entries: list[dict[str, Any]] = json.loads(body)["history"]
    return entries


def test_a_change_of_columns_says_what_why_and_who(dataset: Dataset) -> None:
    """Before the first file the type waits for its column."""
    assert dataset.change(path="amount", action="SET_TYPE", type="decimal(12,2)").success
    dataset.put(DAYS[0], 1, [1, 2.5])
    dataset.run(DAYS[0])
    assert dataset.output(DAYS[0])[0] == {"decimal128(12, 2)"}
    assert dataset.change(path="amount", action="SET_TYPE", type="string").success
    assert dataset.change(path="amount", action="DROP").success
    *_, last = history(dataset)
    assert (last["path"], last["by"], last["reason"]) == ("amount", "a test", "cents came")
    assert dataset.launch()["generation"] == 2


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"path": "amount", "action": "SET_TYPE"}, "SET_TYPE needs a type, such as decimal(12,2)"),
        ({"path": "amount", "action": "DROP", "type": "double"}, "DROP takes no type, got 'double'"),
        ({"path": "amount", "action": "DROP"}, "amount has no column, expected one to drop"),
        ({"path": "amount", "action": "TO_MAP"}, "amount has no column, expected an object"),
        ({"path": "amount", "action": "CLEAR_HINT"}, "amount has no hint"),
        ({"path": "a", "action": "SET_TYPE", "type": "double", "by": " "}, "needs 'by'"),
    ],
)
def test_what_can_not_be_changed_changes_nothing_and_says_what_was_expected(
    dataset: Dataset, config: dict[str, str], message: str
) -> None:
    result = dataset.change(**config)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert message in str(failure.event_specific_data)
    assert dataset.s3.list_objects_v2(Bucket=dataset.names.manifest_bucket).get("Contents", []) == []


def test_a_place_to_go_on_from_is_a_date(dataset: Dataset) -> None:
    result = dataset.defs.resolve_job_def(JOB).execute_in_process(
        instance=dataset.instance,
        run_config={"ops": {"rebuild_changed": {"config": {"before": "yesterday"}}}},
        raise_on_error=False,
    )
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "before must be a date such as 2026-01-30, got 'yesterday'" in str(failure.event_specific_data)
