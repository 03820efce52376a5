"""`file NAME`: one file's whole story, whatever became of it."""

import hashlib
from typing import Any

import pytest

from lambda_ingest.contract.manifest import Manifest, ManifestFile
from ndjson_pipeline_tests.pipeline.cli.conftest import CONVERTED, INPUT_PREFIX, REFUSED, WAITING, Busy, Cli
from ndjson_pipeline_tests.pipeline.harness import DATE, day, make_name

pytestmark = pytest.mark.usefixtures("deployment", "emptied")


def story(cli: Cli, *arguments: str) -> dict[str, Any]:
    told = cli("file", *arguments, "--json")
    assert told.code == 0, told
    return told.document


def test_a_converted_file_leads_to_its_run_and_its_parquet(cli: Cli, busy: Busy) -> None:
    assert "It was converted" in cli("file", CONVERTED).out
    found = story(cli, CONVERTED)
    assert found["verdict"] == "It was converted; 1 of its records were rejected."
    assert found["manifest_record"]["dagster_run_id"] == "run-1"
    assert found["manifest_record"]["records"] == 7
    assert len(found["parquet"]) == 1
    assert found["rejected"]["reasons"] == {"not JSON": 1}


@pytest.mark.parametrize("form", ["{key}", "s3://{bucket}/{key}"])
def test_a_key_and_a_uri_name_it_too(cli: Cli, busy: Busy, form: str) -> None:
    name = form.format(bucket=busy.deployment.names.input_bucket, key=f"{INPUT_PREFIX}{WAITING}")
    assert story(cli, name)["verdict"] == "It is accepted, and waits for its batch."


def test_a_refused_one_says_why_and_what_to_do(cli: Cli, busy: Busy) -> None:
    found = story(cli, REFUSED)
    assert found["verdict"] == "It was refused: size out of tolerance: 9 MB."
    assert "quarantine release" in found["next_step"]
    assert found["in_quarantine"]["uri"].endswith(REFUSED)


@pytest.mark.parametrize(
    ("attributes", "verdict"),
    [
        ({"status": "pending"}, "which waits for a run"),
        ({"status": "processing", "dagster_run_id": "run-9"}, "Run run-9 is converting it"),
        (
            {"status": "failed", "error_message": "denied"},
            "Its manifest failed: denied. It is not tried again.",
        ),
        ({"status": "failed", "retry_at": f"{DATE}T03:00:00Z"}, "again at"),
        ({"status": "completed"}, "It was converted."),
    ],
    ids=["waits", "goes on", "failed", "again", "done"],
)
def test_its_fate_is_its_manifests(cli: Cli, busy: Busy, attributes: dict[str, Any], verdict: str) -> None:
    name = busy.table.commit(9, **attributes)
    busy.file(f"{DATE}-nine.ndjson", "manifested", manifest_path=busy.table.path(name))
    assert verdict in story(cli, f"{DATE}-nine.ndjson")["verdict"]


def test_what_came_over_it_is_told(cli: Cli, busy: Busy) -> None:
    name = busy.table.commit(9, status="completed")
    overwritten = {"overwritten_etag": "x", "overwritten_at": f"{DATE}T05:00:00Z"}
    busy.file(f"{DATE}-nine.ndjson", "manifested", manifest_path=busy.table.path(name), **overwritten)
    found = story(cli, f"{DATE}-nine.ndjson")
    assert "overwritten afterwards" in found["verdict"]
    assert "new name" in found["next_step"]


def test_once_its_record_has_expired_the_manifests_in_s3_tell(cli: Cli, busy: Busy) -> None:
    old = day(-60)
    name = make_name(7, old)
    uri = f"s3://{busy.deployment.names.input_bucket}/{INPUT_PREFIX}{old}-old.ndjson"
    manifest = Manifest(name, f"{old}T00:00:00Z", (ManifestFile(uri, 3, "etag"),))
    busy.object(busy.deployment.names.manifest_bucket, name.key, manifest.to_json())
    found = story(cli, f"{old}-old.ndjson")
    assert found["record"] is None
    assert found["manifest"] == name.filename
    assert "record has expired" in found["verdict"]


def test_an_object_that_nobody_knows_is_found_by_reconcile(cli: Cli, busy: Busy) -> None:
    busy.object(busy.deployment.names.input_bucket, f"{INPUT_PREFIX}{day()}-lost.ndjson")
    found = story(cli, f"{day()}-lost.ndjson")
    assert f"reconcile --date {day()}" in found["next_step"]


def test_a_file_that_nobody_knows_is_no_story(cli: Cli) -> None:
    done = cli("file", f"{DATE}-nothing.ndjson")
    assert done.code == 1
    assert "nobody knows" in done.err


def test_a_file_whose_key_may_not_stand_in_the_table_is_found(cli: Cli, busy: Busy) -> None:
    name = f"{DATE}-a#b.ndjson"
    busy.file(f"{DATE}-a%23b.ndjson", "quarantined", file_path=uri_of(busy, name), reason="bad key")
    assert story(cli, name)["verdict"] == "It was refused: bad key."


def test_a_file_without_a_date_in_its_name_needs_one(cli: Cli, busy: Busy) -> None:
    busy.file("nodate.ndjson", "quarantined", reason="no date")
    assert cli("file", "nodate.ndjson").code == 1
    assert story(cli, "nodate.ndjson", "--date", DATE)["verdict"] == "It was refused: no date."


def test_what_may_not_be_looked_at_is_said(cli: Cli, busy: Busy, deny: Any) -> None:
    deny("HeadObject", "GetJob")
    found = story(cli, CONVERTED)
    assert found["manifest"] is not None
    assert len(found["unseen"]) == 3


def test_a_manifest_that_is_gone_is_said(cli: Cli, busy: Busy) -> None:
    digest = hashlib.sha256(b"").hexdigest()[:8]
    path = f"s3://{busy.deployment.names.manifest_bucket}/manifests/{DATE}/manifest-{DATE}-batch-000099-{digest}.json"
    busy.file(f"{DATE}-gone.ndjson", "manifested", manifest_path=path)
    found = story(cli, f"{DATE}-gone.ndjson")
    assert any("is gone" in one for one in found["unseen"])


def uri_of(busy: Busy, name: str) -> str:
    return f"s3://{busy.deployment.names.input_bucket}/{INPUT_PREFIX}{name}"
