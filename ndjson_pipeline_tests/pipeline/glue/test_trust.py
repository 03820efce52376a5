"""Messages and reports that the Glue run did not write, and output that is not there."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from glue_jobs.reporting.seal import NONCE_ARGUMENT, sealed, unsealed
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.glue import messages
from ndjson_pipeline.glue.messages import IdentityMessageReader, messages_prefix, read_custom_messages
from ndjson_pipeline.glue.outputs import Outputs
from ndjson_pipeline.glue.report import GlueReport, parse_glue_report
from ndjson_pipeline.glue.reported import read_report
from ndjson_pipeline.glue.runs import ATTEMPTS_ARGUMENT, IDENTITY_ARGUMENT, SHA256_ARGUMENT, GlueRun
from ndjson_pipeline.glue.session import LONGEST_ARGUMENT
from ndjson_pipeline_tests.pipeline.asset_runner import Runner, statuses
from ndjson_pipeline_tests.pipeline.harness import (
    NONCE,
    FakeGlue,
    ManifestTable,
    PipesScript,
    glue_report_document,
    make_name,
    outcome,
    write_outputs,
)

PATH = f"s3://manifests/{make_name(1).key}"


def line(payload: Any) -> bytes:
    return json.dumps({"method": "report_custom_message", "params": {"payload": payload}}).encode()


def lay(deployment: Deployment, index: object, content: bytes, identity: str = "x") -> None:
    deployment.s3.put_object(
        Bucket=deployment.names.manifest_bucket,
        Key=f"{messages_prefix(identity)}/{index}.json",
        Body=content,
    )


def read(deployment: Deployment, nonce: str = NONCE) -> list[Any]:
    return read_custom_messages(deployment.s3, deployment.names.manifest_bucket, "x", nonce)


def test_a_seal_is_of_its_content_its_nonce_and_its_place() -> None:
    chunk = sealed(b"a\nb", NONCE, 1)
    assert unsealed(chunk, NONCE, 1) == b"a\nb"
    assert unsealed(chunk, NONCE, 2) is None
    assert unsealed(chunk, "b" * 64, 1) is None
    assert unsealed(chunk.replace(b"a", b"c", 1), NONCE, 1) is None
    assert unsealed(b"", NONCE, 1) is None
    assert NONCE.encode() not in chunk


def test_what_the_run_did_not_seal_counts_for_nothing_and_stops_nothing(
    deployment: Deployment, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MOST_CHUNK_BYTES", 10_000)
    lay(deployment, 1, line("forged"))
    lay(deployment, 2, sealed(line("forged"), "b" * 64, 2))
    lay(deployment, 3, sealed(line("moved"), NONCE, 4))
    lay(deployment, 4, b"\xff\xfe\x00" * 100)
    lay(deployment, 5, b"x" * 20_000)
    lay(deployment, "\uff16", sealed(line("forged"), NONCE, 6))
    lay(deployment, "0007", sealed(line("forged"), NONCE, 7))
    lay(deployment, 999_999, sealed(line("forged"), NONCE, 999_999))
    lay(deployment, 8, sealed(line("genuine"), NONCE, 8))
    assert read(deployment) == ["genuine"]
    assert caplog.text.count("counts for nothing") == 4
    assert NONCE not in caplog.text


def test_a_sealed_line_of_garbage_harms_no_other(deployment: Deployment) -> None:
    garbage = [
        b"\xff",
        b"[" * 50_000,
        b"7",
        b"null",
        b"[]",
        b'{"method": []}',
        b'{"method": "log", "params": 1}',
    ]
    garbage += [b'{"method": "log", "params": {"message": {}}}', b'{"method": "report_custom_message"}']
    lay(deployment, 1, sealed(b"\n".join([*garbage, line("genuine"), *garbage]), NONCE, 1))
    assert read(deployment) == ["genuine"]


def test_a_live_reader_passes_on_what_is_sealed_and_known_alone(deployment: Deployment) -> None:
    bucket = deployment.names.manifest_bucket
    reader = IdentityMessageReader(bucket=bucket, client=deployment.s3, identity="x")
    log = json.dumps({"method": "log", "params": {"message": "a\nERROR forged", "level": "INFO"}}).encode()
    foreign = json.dumps({"method": "report_asset_materialization", "params": {}}).encode()
    lay(deployment, 1, line("forged"))
    lay(deployment, 2, sealed(b"\n".join([log, foreign, b"garbage"]), NONCE, 2))
    with reader.get_params() as params:
        assert reader.download_messages(None, params) is None
        reader.nonce = NONCE
        found = [reader.download_messages(None, params) for _ in range(3)]
    assert found[0] == (2, " ")
    assert found[1] is not None
    (only,) = found[1][1].splitlines()
    assert json.loads(only)["params"]["message"] == r"a\nERROR forged"
    assert found[2] is None


def ended(nonce: str | None = NONCE, run_id: str = "jr_1") -> GlueRun:
    arguments = {IDENTITY_ARGUMENT: "x"} | ({} if nonce is None else {NONCE_ARGUMENT: nonce})
    return GlueRun("job", run_id, "FAILED", "it broke", 60, None, arguments)


def test_a_report_counts_for_the_run_that_sealed_it_alone(deployment: Deployment) -> None:
    payload = {
        "kind": "glue_report",
        "report_uri": "s3://m/r.json",
        "report": glue_report_document(outcome(PATH)),
    }
    lay(deployment, 1, sealed(line(payload), NONCE, 1))
    bucket = deployment.names.manifest_bucket
    report = read_report(deployment.s3, bucket, ended())
    assert report is not None
    assert report.manifests[PATH].is_completed
    assert read_report(deployment.s3, bucket, ended("b" * 64)) is None
    assert read_report(deployment.s3, bucket, ended(None)) is None
    assert read_report(deployment.s3, bucket, ended(run_id="jr_2")) is None


def parsed(document: dict[str, Any]) -> GlueReport:
    return parse_glue_report("s3://m/r.json", document)


def test_output_is_looked_up_by_name_and_size(deployment: Deployment) -> None:
    paths = [f"s3://manifests/{make_name(sequence).key}" for sequence in (1, 2, 3, 4)]
    document = glue_report_document(*map(outcome, paths))
    write_outputs(deployment.s3, document)
    files = {file["manifest_path"]: file for file in document["parquet_files"]}
    files[paths[1]]["size_mb"] = 0.3
    deployment.s3.delete_object(
        Bucket=deployment.names.output_bucket, Key=files[paths[2]]["path"].split("/", 3)[3]
    )
    # Another manifest's file is none of its own.
    files[paths[3]]["path"] = files[paths[0]]["path"]
    outputs = Outputs(deployment.s3, deployment.names.output_bucket)
    missing = [outputs.confirmed(parsed(document)).manifests[path].missing_output for path in paths]
    assert missing[0] is None
    assert all("1 of 1 output files are not there" in (each or "") for each in missing[1:])
    elsewhere = Outputs(deployment.s3, deployment.names.manifest_bucket)
    assert elsewhere.confirmed(parsed(document)).manifests[paths[0]].missing_output is not None


def test_output_of_many_manifests_costs_a_call_a_thousand_keys(deployment: Deployment) -> None:
    paths = [f"s3://manifests/{make_name(sequence).key}" for sequence in range(1, 31)]
    document = glue_report_document(*map(outcome, paths))
    for file in document["parquet_files"]:
        file["size_mb"] = 0.0
    write_outputs(deployment.s3, document)
    calls = []

    class Counting:
        def list_objects_v2(self, **request: Any) -> Any:
            calls.append(request)
            return deployment.s3.list_objects_v2(**request, MaxKeys=10)

    confirmed = Outputs(Counting(), deployment.names.output_bucket).confirmed(parsed(document))  # type: ignore[arg-type]
    assert {one.missing_output for one in confirmed.manifests.values()} == {None}
    assert len(calls) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"records_processed": float("nan")},
        {"records_processed": -1},
        {"records_processed": 10**30},
        {"records_processed": "7"},
        {"records_processed": True},
        {"records_processed": 7.5},
        {"output_size_mb": float("inf")},
        {"output_size_mb": -1.0},
        {"manifest_path": ["s3://m/a.json"]},
    ],
    ids=str,
)
def test_numbers_and_texts_of_a_report_are_what_they_are_said_to_be(change: dict[str, Any]) -> None:
    document = glue_report_document(outcome(PATH))
    document["manifests"][0].update(change)
    with pytest.raises(Exception, match="has another shape"):
        parsed(document)


def test_a_reports_text_is_printable_and_a_place_that_is_none_is_no_place() -> None:
    document = glue_report_document(outcome(PATH, error="bad\nERROR forged \u202e" + "x" * 10_000))
    document["schema"]["new_columns"] = ["a\x1b[31m"]
    report = parse_glue_report(["no", "uri"], document)
    message = report.manifests[PATH].error_message or ""
    assert message.startswith(r"bad\nERROR forged \u202e")
    assert len(message) <= 4_000
    assert report.schema is not None
    assert report.schema.new_columns == (r"a\x1b[31m",)
    assert report.uri is None


def test_rows_that_are_in_no_file_are_no_completion() -> None:
    document = glue_report_document(outcome(PATH, rows=7))
    document["parquet_files"] = []
    assert "7 rows out in 1 files, but 0 rows" in (parsed(document).manifests[PATH].imbalance or "")


class Forger(PipesScript):
    """Somebody who writes the bucket, and does not know the nonce."""

    def __call__(self, arguments: Any) -> None:
        super().__call__({**arguments, NONCE_ARGUMENT: "f" * 64})


@pytest.mark.parametrize("state", ["FAILED", "STOPPED", "TIMEOUT"])
def test_a_forged_report_completes_nothing_of_a_run_that_failed(
    runner: Runner, manifests: ManifestTable, state: str
) -> None:
    name = manifests.commit(1)
    script = Forger(
        manifests.deployment.s3, lambda paths: glue_report_document(*(outcome(path) for path in paths))
    )
    assert not runner.run(FakeGlue(("RUNNING", state), script), [name]).success
    assert statuses(manifests, [name]) == [("failed", 1)]


def test_output_that_is_not_there_completes_nothing_and_is_written_again(
    runner: Runner, manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ndjson_pipeline_tests.pipeline.harness.write_outputs", lambda *_: None)
    name = manifests.commit(1)
    assert not runner.run(runner.glue_that_converts(), [name]).success
    item = manifests.item(name)
    assert item["status"] == "failed"
    assert "not there as reported" in item["error_message"]
    assert "retry_at" in item


def test_output_that_can_not_be_looked_up_leaves_the_manifest_to_the_reconciler(
    runner: Runner, manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError("S3 does not answer")

    monkeypatch.setattr(Outputs, "_sizes", refuse)
    name = manifests.commit(1)
    assert not runner.run(runner.glue_that_converts(), [name]).success
    assert statuses(manifests, [name]) == [("processing", 1)]


def test_a_run_is_told_the_sha256_of_its_manifests_and_a_nonce_of_its_own(
    runner: Runner, manifests: ManifestTable
) -> None:
    names = [manifests.commit(1, manifest_sha256="c" * 64), manifests.commit(2)]
    glue = runner.glue_that_converts()
    assert runner.run(glue, names).success
    assert runner.run(glue, [manifests.commit(3)]).success
    first, second = (run["Arguments"] for run in glue.runs)
    assert (first[SHA256_ARGUMENT], second[SHA256_ARGUMENT]) == ("c" * 64 + ",-", "-")
    assert len(first[NONCE_ARGUMENT]) == 64
    assert first[NONCE_ARGUMENT] != second[NONCE_ARGUMENT]


def test_a_list_of_manifests_is_bound_to_its_run(runner: Runner, manifests: ManifestTable) -> None:
    names = [manifests.commit(sequence, manifest_sha256="c" * 64) for sequence in range(1, 90)]
    assert sum(len(manifests.path(name)) for name in names) > LONGEST_ARGUMENT
    glue = runner.glue_that_converts()
    assert runner.run(glue, names).success
    arguments = glue.runs[0]["Arguments"]
    assert arguments["--MANIFEST_PATH"].endswith("/manifests.txt")
    assert len(arguments[SHA256_ARGUMENT]) == 64
    run = GlueRun.from_response({"Id": "jr_9", "Arguments": arguments})
    runs = runner.pipeline.glue_runs(logging.getLogger(__name__))
    assert f"{names[0].filename}@1" in runs.attempts_of(run)
    bucket, key = arguments[ATTEMPTS_ARGUMENT].removeprefix("s3://").split("/", 1)
    forged = f"s3://x/{make_name(500).key} 1 -".encode()
    manifests.deployment.s3.put_object(Bucket=bucket, Key=key, Body=forged)
    assert runs.attempts_of(replace(run, run_id="jr_10")) == frozenset()
