"""What a Glue run's end means to each manifest."""

from dataclasses import replace
from typing import Any

import pytest

from ndjson_pipeline.glue.report import GlueReport, parse_glue_report
from ndjson_pipeline.glue.runs import TERMINAL_STATES, GlueRun
from ndjson_pipeline.glue.settlement import settle
from ndjson_pipeline_tests.pipeline.harness import glue_report_document, make_claim, outcome

CLAIM = make_claim(1)
PATH = CLAIM.record.manifest_path


def ended(state: str) -> GlueRun:
    return GlueRun("job", "jr_1", state, None if state == "SUCCEEDED" else "it broke", 60, None, {})


def reported(*outcomes: Any) -> GlueReport:
    return parse_glue_report("s3://m/logs/glue/r.json", glue_report_document(*outcomes))


COMPLETED = reported(outcome(PATH, rows=7, rejected=1))
FAILED = reported(outcome(PATH, error="bad file"))
SILENT = reported(outcome("s3://m/manifests/other.json"))
FAILED_WITHOUT_REASON = replace(FAILED, manifests={PATH: replace(FAILED.manifests[PATH], error_message=None)})
LOST_A_LINE = replace(COMPLETED, manifests={PATH: replace(COMPLETED.manifests[PATH], records_read=9)})
MADE_A_LINE = replace(COMPLETED, manifests={PATH: replace(COMPLETED.manifests[PATH], records_read=7)})


@pytest.mark.parametrize(
    ("state", "report", "failure", "records"),
    [
        ("SUCCEEDED", COMPLETED, None, 7),
        ("SUCCEEDED", None, None, None),
        ("SUCCEEDED", SILENT, None, None),
        ("SUCCEEDED", FAILED, "bad file", None),
        ("SUCCEEDED", FAILED_WITHOUT_REASON, "ended SUCCEEDED", None),
        ("SUCCEEDED", LOST_A_LINE, "9 lines in, but 7 rows out and 1 rejected", None),
        ("SUCCEEDED", MADE_A_LINE, "7 lines in, but 7 rows out and 1 rejected", None),
        # Converted in a run that failed for another manifest.
        ("FAILED", COMPLETED, None, 7),
        ("FAILED", FAILED, "bad file", None),
        ("FAILED", FAILED_WITHOUT_REASON, "ended FAILED: it broke", None),
        ("FAILED", None, "ended FAILED: it broke", None),
        ("FAILED", SILENT, "ended FAILED: it broke", None),
        ("FAILED", LOST_A_LINE, "9 lines in", None),
        ("STOPPED", None, "ended STOPPED: it broke", None),
        ("STOPPED", COMPLETED, None, 7),
        ("TIMEOUT", None, "ended TIMEOUT: it broke", None),
        ("ERROR", None, "ended ERROR: it broke", None),
        ("EXPIRED", None, "ended EXPIRED: it broke", None),
    ],
)
def test_a_manifest_ends_as_the_report_says_and_else_as_the_run_did(
    state: str, report: GlueReport | None, failure: str | None, records: int | None
) -> None:
    (settlement,) = settle([CLAIM], ended(state), report)
    assert settlement.claim is CLAIM
    assert settlement.records_processed == records
    if failure is None:
        assert settlement.failure is None
    else:
        assert failure in (settlement.failure or "")


def test_each_manifest_is_settled_by_itself() -> None:
    claims = [make_claim(1), make_claim(2), make_claim(3)]
    good, bad, unnamed = (claim.record.manifest_path for claim in claims)
    report = reported(outcome(good), outcome(bad, error="bad file"))
    settlements = settle(claims, ended("FAILED"), report)
    assert [settlement.claim for settlement in settlements] == claims
    assert settlements[0].failure is None
    assert settlements[1].failure == "bad file"
    assert "ended FAILED" in (settlements[2].failure or ""), unnamed


def test_a_run_that_glue_gives_no_reason_for_says_so() -> None:
    run = replace(ended("ERROR"), error_message=None)
    (settlement,) = settle([CLAIM], run, None)
    assert "jr_1 of job ended ERROR" in (settlement.failure or "")


def test_every_terminal_state_but_one_fails_a_manifest_without_a_report() -> None:
    failing = {state for state in TERMINAL_STATES if settle([CLAIM], ended(state), None)[0].failure}
    assert failing == TERMINAL_STATES - {"SUCCEEDED"}
