"""`preview` and `rescued` on the local AWS: an empty pipeline, a busy one, and broken ones."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.types import INT64, list_of, struct_of
from ndjson_pipeline.claims.totals import totals_key
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.desk.output.files import output_files
from ndjson_pipeline_tests.pipeline.cli.conftest import Busy, Cli, Deny, errors_of
from ndjson_pipeline_tests.pipeline.cli.test_schema import lay
from ndjson_pipeline_tests.pipeline.harness import DATE, NOW, ManifestTable

pytestmark = pytest.mark.usefixtures("deployment", "emptied")

COMMANDS = [
    ["preview", "--date", DATE],
    ["preview", "--date", DATE, "--sql", "SELECT 1 FROM rows"],
    ["rescued", "--date", DATE],
]
HOSTILE = "a\x1b[31m\u202ered\nname"


def name_of(arguments: list[str]) -> str:
    return " ".join(arguments)


def put(deployment: Deployment, part: int, table: pa.Table, **options: Any) -> int:
    """Put a Parquet file of the date, and return its size."""
    body = io.BytesIO()
    pq.write_table(table, body, **options)
    deployment.s3.put_object(
        Bucket=deployment.names.output_bucket,
        Key=f"merged-parquet-{DATE}/part-000001-00000001-{part:04d}.snappy.parquet",
        Body=body.getvalue(),
    )
    return len(body.getvalue())


@pytest.mark.parametrize("arguments", COMMANDS, ids=name_of)
def test_an_empty_pipeline_says_so(cli: Cli, arguments: list[str]) -> None:
    shown = cli(*arguments)
    assert shown.code == 0
    assert "converted" in shown.out
    assert cli(*arguments, "--json").code == 0


@pytest.mark.parametrize("arguments", COMMANDS, ids=name_of)
@pytest.mark.parametrize("broken", ["denied", "absent", "silent"])
def test_a_broken_one_is_one_sentence(cli: Cli, deny: Deny, broken: str, arguments: list[str]) -> None:
    more = {"absent": ["--feed", "absent"], "silent": ["--endpoint-url", "http://127.0.0.1:9"]}.get(
        broken, []
    )
    if broken == "denied":
        deny()
    done = cli(*arguments, *more)
    assert (done.code, len(errors_of(done))) == (1, 1)
    said = {
        "denied": "these credentials may not use",
        "absent": "there is no",
        "silent": "nothing answers at",
    }
    assert said[broken] in done.err


@pytest.mark.parametrize("arguments", COMMANDS[:2], ids=name_of)
def test_what_is_no_parquet_is_left_out_and_told(cli: Cli, busy: Busy, arguments: list[str]) -> None:
    assert "None of the 1 files" in cli(*arguments).out
    put(busy.deployment, 5, pa.table({"a": [1, 2]}))
    done = cli(*arguments)
    assert done.out.count("ONLY A PART OF THE DATE") == 2
    found = cli(*arguments, "--json").document
    assert (found["files"], found["files_of_date"], found["is_part"]) == (1, 2, True)


def test_hostile_names_and_values_reach_no_terminal(cli: Cli, deployment: Deployment) -> None:
    wide = {f"{HOSTILE}{number}": [f"{HOSTILE}{number}"] for number in range(9)}
    put(deployment, 0, pa.table(wide))
    for arguments in (COMMANDS[0], ["preview", "--date", DATE, "--sql", "SELECT COLUMNS('.*0') FROM rows"]):
        shown, told = cli(*arguments), cli(*arguments, "--json")
        assert (shown.code, told.code) == (0, 0), shown
        for character in ("\x1b", "\u202e"):
            assert character not in shown.out + told.out
        assert any(HOSTILE in value for row in told.document["rows"] for value in row)


def test_a_part_of_a_date_is_told_loudly(cli: Cli, deployment: Deployment) -> None:
    noise = pa.table({"a": pa.array(range(200_000))})
    for number in range(3):
        assert put(deployment, number, noise, compression="none", use_dictionary=False) > 1_500_000
    whole = cli("preview", "--date", DATE, "--sql", "SELECT count(*) FROM rows", "--json").document
    assert (whole["rows"], whole["is_part"]) == ([[600_000]], False)
    part = cli("preview", "--date", DATE, "--sql", "SELECT count(*) FROM rows", "--most-mb", "2")
    assert part.out.count("ONLY A PART OF THE DATE: 1 of 3 files") == 2
    assert "200000" in part.out
    tiny = cli("preview", "--date", DATE, "--most-mb", "1")
    assert (tiny.code, "--most-mb above 1" in tiny.err) == (1, True)


def test_a_query_that_makes_no_sense_is_one_line(cli: Cli, deployment: Deployment, tmp_path: Path) -> None:
    put(deployment, 0, pa.table({"a": [1]}))
    for sql in (f"COPY rows TO '{tmp_path}/x.csv'", "SELECT nosuch FROM rows", "SELEC \x1b[31m", "", "a; b"):
        done = cli("preview", "--date", DATE, "--sql", sql)
        assert (done.code, len(errors_of(done))) == (1, 1)
        assert "\x1b" not in done.err
        assert cli("preview", "--date", DATE, "--sql", sql, "--json").document["error"]["exit_code"] == 1
    assert list(tmp_path.iterdir()) == []


def test_files_that_were_removed_meanwhile_are_looked_for_again(
    cli: Cli, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(deployment, 0, pa.table({"a": [1]}))
    gone = [True]

    def list_files(*arguments: Any) -> Any:
        files = output_files(*arguments)
        if gone.pop() if gone else False:
            deployment.s3.delete_object(Bucket=deployment.names.output_bucket, Key=files[0].key)
            put(deployment, 1, pa.table({"a": [1, 2]}))
        return files

    monkeypatch.setattr("ndjson_pipeline.desk.output.preview_files.output_files", list_files)
    assert cli("preview", "--date", DATE, "--json").document["row_count"] == 2


def test_without_reports_the_sample_tells_by_the_rules_of_the_job(
    cli: Cli, manifests: ManifestTable, deployment: Deployment
) -> None:
    types = {"a": INT64, "items": list_of(struct_of({"qty": INT64}))}
    lay(deployment, SchemaContract().extended(types, True, [], NOW))
    odd = {"a": "x", HOSTILE: 1, "items": [{"qty": 1}, {"qty": "2"}]}
    put(
        deployment,
        0,
        pa.table(
            {
                "a": pa.array([None, 1, 1], pa.int64()),
                # A member of that name says nothing of the column.
                "user": pa.array([None] * 3, pa.struct([("_rescued", pa.string())])),
                "_rescued": [json.dumps(odd), None, "no object"],
                "_source_file": ["s3://i/a"] * 3,
            }
        ),
    )
    put(deployment, 1, pa.table({"a": [1, 2]}))
    put(deployment, 2, pa.table({"a": [1], "_rescued": pa.array([None], pa.string())}))
    found = cli("rescued", "--date", DATE, "--json").document
    assert (found["counted_by"], found["records"]) == ("sample", None)
    assert found["sampled"]["rows"] == 6
    assert found["sampled"]["is_whole"] is True
    values = {one["path"]: [sample["value"] for sample in one["samples"]] for one in found["columns"]}
    assert values["a"] == ['"x"']
    assert values["items[].qty"] == ['"2"']
    shown = cli("rescued", "--date", DATE)
    assert shown.code == 0
    assert "in the sample" in shown.out
    assert "\x1b" not in shown.out


def test_what_nobody_reported_is_told_by_the_parquet(
    cli: Cli, manifests: ManifestTable, deployment: Deployment
) -> None:
    lay(deployment, SchemaContract().extended({"a": INT64}, True, [], NOW))
    put(deployment, 0, pa.table({"a": pa.array([None], pa.int64()), "_rescued": ['{"a":1.5}']}))
    manifests.put_item(**totals_key(DATE), manifests=1, manifests_unreported=1)
    found = cli("rescued", "--date", DATE, "--json").document
    assert (found["records"], found["manifests_unreported"]) == (None, 1)
    assert [(one["path"], one["records"], one["share"]) for one in found["columns"]] == [("a", 1, 1.0)]


def test_a_bound_on_what_is_read_is_told(cli: Cli, manifests: ManifestTable, deployment: Deployment) -> None:
    lay(deployment, SchemaContract().extended({"a": INT64}, True, [], NOW))
    text = [json.dumps({"a": f"{number:06d}" * 20}) for number in range(20_000)]
    table = pa.table({"a": pa.array([None] * len(text), pa.int64()), "_rescued": text})
    for part in range(3):
        put(deployment, part, table, compression="none", use_dictionary=False)
    totals = {"manifests": 1, "records_processed": 60_000, "records_rescued": 60_000}
    manifests.put_item(**totals_key(DATE), **totals)
    found = cli("rescued", "--date", DATE, "--most-mb", "1", "--json").document
    assert (found["records"], found["records_rescued"]) == (60_000, 60_000)
    assert found["sampled"]["is_whole"] is False
    assert 0 < found["sampled"]["rows"] < 60_000
    assert found["sampled"]["read_mb"] < 6
    assert "THIS IS A SAMPLE" in cli("rescued", "--date", DATE, "--most-mb", "1").out
