"""`load-test` and `generate`: made-up files, followed, and kept out of datasets of others."""

import json
from pathlib import Path
from typing import Any

import pytest

from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.types import ColumnType, Kind
from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.dates import utc_timestamp
from ndjson_pipeline.cli import load_test
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.load_test.run import follow
from ndjson_pipeline.loading.made_up import made_up_columns
from ndjson_pipeline_tests.pipeline.cli.conftest import Cli, Deny
from ndjson_pipeline_tests.pipeline.harness import ManifestTable
from ndjson_pipeline_tests.pipeline.loading.conftest import PREFIX, Builder, builder, desk

__all__ = ["builder", "desk"]


@pytest.fixture
def asked(builder: Builder, tmp_path: Path) -> list[str]:
    options = ["--files", "20", "--rate", "1000", "--file-size-kb", "1", "--out", str(tmp_path / "out")]
    return ["load-test", *options, "--timeout", "5"]


@pytest.fixture
def pipeline(builder: Builder, manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The pipeline does its work between putting and following; what becomes of the manifests is set here."""
    becomes: dict[str, Any] = {"status": "completed", "is_worked": True}

    def soon(*arguments: Any, **options: Any) -> Any:
        if becomes["is_worked"]:
            builder.work()
        date = utc_now().date().isoformat()
        for record in manifests.store().of_date(date):
            builder.deployment.dynamodb.update_item(
                TableName=builder.deployment.names.tracking_table,
                Key={"date_prefix": {"S": date}, "file_key": {"S": record.file_key}},
                UpdateExpression="SET #status = :status, completed_time = :now, error_message = :why",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={
                    ":status": {"S": becomes["status"]},
                    ":now": {"S": utc_timestamp(utc_now())},
                    ":why": {"S": "denied"},
                },
            )
        return follow(*arguments, **{**options, "sleep": lambda _seconds: None})

    monkeypatch.setattr(load_test, "follow", soon)
    return becomes


def dataset(builder: Builder, *columns: str) -> None:
    """Give the dataset columns."""
    names = builder.deployment.names
    contract = SchemaContract(types={name: ColumnType(Kind.STRING) for name in columns}, version=1)
    builder.deployment.s3.put_object(
        Bucket=names.manifest_bucket,
        Key=f"schemas/{names.output_bucket}/schema.json",
        Body=contract.to_json(),
    )


def test_a_dry_run_puts_nothing(cli: Cli, builder: Builder, asked: list[str]) -> None:
    done = cli(*asked, "--dry-run", "--json")
    assert (done.code, done.document["would"]["files"]) == (0, 20), done
    assert builder.objects() == []
    assert cli(*asked).code == 2


def test_all_files_are_timed_up_to_the_parquet(
    cli: Cli, builder: Builder, asked: list[str], pipeline: dict[str, Any], tmp_path: Path
) -> None:
    done = cli(*asked, "--yes", "--json")
    assert done.code == 0, done
    found = done.document
    assert (found["put"], found["lost"], found["refused"]) == (20, 0, 0)
    assert {stage: one["files"] for stage, one in found["seconds"].items()} == {
        "its record": 20,
        "its manifest": 20,
        "Parquet": 20,
    }
    plot, raw = (Path(path) for path in found["written"])
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert len(json.loads(raw.read_text())["times"]) == 20
    assert all(f"-loadtest-{found['label']}-" in key for key in builder.objects())
    shown = cli(*asked, "--yes")
    assert "Parquet" in shown.out
    assert "p95" in shown.out


@pytest.mark.parametrize(
    ("becomes", "variables", "said"),
    [
        ({"is_worked": False}, {}, "20 files have no record"),
        ({"status": "failed"}, {}, "failed: denied"),
        ({"status": "processing"}, {}, "not converted in time"),
        ({}, {"PARTITION_START_DATE": "2100-01-01"}, "20 files were refused"),
    ],
    ids=["lost", "failed", "going", "refused"],
)
def test_what_is_lost_refused_or_late_exits_with_3(
    cli: Cli,
    builder: Builder,
    asked: list[str],
    pipeline: dict[str, Any],
    becomes: dict[str, Any],
    variables: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline |= becomes
    plain = load_test.plan_load_test
    rules = dict(builder.variables)

    def changed(*arguments: Any, **options: Any) -> Any:
        # What was planned by the rules of before is judged by others.
        builder.variables |= variables
        return plain(*arguments, **options)

    monkeypatch.setattr(load_test, "plan_load_test", changed)
    done = cli(*asked[:-1], "1", "--yes", "--json")
    builder.variables.update(rules)
    assert done.code == 3, done
    assert any(said in one for one in done.document["problems"]), done.document["problems"]


def test_without_permission_to_put_it_says_so_and_writes_what_it_saw(
    cli: Cli, asked: list[str], deny: Deny
) -> None:
    deny("PutObject")
    done = cli(*asked, "--yes", "--json")
    assert done.code == 3
    assert done.document["errors"] == {"AccessDeniedException": 20}


@pytest.mark.parametrize("operation", ["GetFunctionConfiguration", "GetJob"])
def test_without_permission_to_look_one_sentence_says_which(
    cli: Cli, asked: list[str], deny: Deny, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    if operation == "GetFunctionConfiguration":
        monkeypatch.undo()
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    deny(operation)
    done = cli(*asked, "--yes")
    assert done.code == 1
    assert operation in done.err or "there is no" in done.err


def test_prod_wants_a_word_of_its_own(cli: Cli, asked: list[str]) -> None:
    done = cli(*asked, "--yes", "--env", "prod")
    assert done.code == 2
    assert "--on-prod" in done.err
    assert "--on-prod" not in cli(*asked, "--yes", "--env", "prod", "--on-prod").err


@pytest.mark.parametrize("command", ["load-test", "generate"])
def test_made_up_files_stay_out_of_a_dataset_of_others(
    cli: Cli, builder: Builder, asked: list[str], pipeline: dict[str, Any], command: str, tmp_path: Path
) -> None:
    dataset(builder, "mine", "event")
    arguments = (
        [*asked, "--yes"] if command == "load-test" else ["generate", "--files", "1", "--size-mb", "0.001"]
    )
    done = cli(*arguments)
    assert done.code == 1
    assert "columns of its own (mine)" in done.err
    assert builder.objects() == []
    assert cli(*arguments, "--mix").code == 0
    assert builder.objects() != []
    if command == "generate":
        assert cli(*arguments, "--folder", str(tmp_path / "f")).code == 0


def test_made_up_files_go_into_a_dataset_of_their_own(cli: Cli, builder: Builder) -> None:
    for columns in ([], [*made_up_columns()]):
        if columns:
            dataset(builder, *columns)
        done = cli("generate", "--files", "1", "--size-mb", "0.001")
        assert done.code == 0
        assert "keeps their columns" in done.out
    builder.put("2025-06-01-a.ndjson")
    assert "`dev --fresh` begins anew" in cli("load", PREFIX, "--dry-run").out


def test_who_may_not_look_at_the_columns_may_generate_and_is_told(
    cli: Cli, builder: Builder, deny: Deny
) -> None:
    deny("GetJob")
    done = cli("generate", "--files", "1", "--size-mb", "0.001")
    assert done.code == 0
    assert "not seen: the dataset's columns" in done.out


def test_a_desk_reads_no_other_files(desk: Desk, builder: Builder) -> None:
    from ndjson_pipeline.load_test.following import Follower  # noqa: PLC0415 - used once

    today = utc_now().date().isoformat()
    builder.put(f"{today}-other.ndjson")
    builder.work()
    stem = f"{today}-loadtest-x-"
    (found,) = Follower(desk, today, stem).look({f"{stem}000001.ndjson": utc_now()})
    assert found.is_lost
