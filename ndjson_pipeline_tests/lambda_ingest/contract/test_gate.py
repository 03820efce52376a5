"""The gate: what is left alone before any call to S3."""

from dataclasses import replace

import pytest

from lambda_ingest.contract.gate import RULES, stopped
from lambda_ingest.settings import Settings
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY

SETTINGS = Settings(manifest_bucket="m", tracking_table="t", input_bucket="in", quarantine_bucket="q")
NAME = f"{TODAY}-a.ndjson"
GOOD = f"pipeline/input/{NAME}"

STOPPED = [
    ("other", GOOD, "other bucket"),
    ("in2", GOOD, "other bucket"),
    ("IN", GOOD, "other bucket"),
    ("other", "elsewhere/x/", "other bucket"),
    ("in", f"elsewhere/{NAME}", "outside the input prefix"),
    ("in", f"pipeline/inputs/{NAME}", "outside the input prefix"),
    ("in", f"/pipeline/input/{NAME}", "outside the input prefix"),
    ("in", f"PIPELINE/input/{NAME}", "outside the input prefix"),
    ("in", "pipeline/input", "outside the input prefix"),
    ("in", "pipeline/input/", "folder marker"),
    ("in", "pipeline/input/team/", "folder marker"),
    *(
        ("in", f"pipeline/input/{below}", "hidden name")
        for below in (
            f".{NAME}",
            f"_{NAME}",
            f"_temporary/0/{NAME}",
            f".staging/{NAME}",
            f"a/../{NAME}",
            f"a/./{NAME}",
            f"a/_b/c/{NAME}",
            "_SUCCESS",
        )
    ),
    *(
        ("in", f"{GOOD}{ending}", "unfinished name")
        for ending in (
            *(".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", "._COPYING_"),
            *(".TMP", ".Part", "._copying_", ".abc.partial"),
        )
    ),
]


@pytest.mark.parametrize(("bucket", "key", "kind"), STOPPED)
def test_what_is_not_the_pipelines_is_left_alone_with_the_reason(bucket: str, key: str, kind: str) -> None:
    stop = stopped(bucket, key, SETTINGS)
    assert stop is not None
    assert (stop.kind, stop.is_loud) == (kind, kind == "other bucket")
    assert stop.reason.startswith(f"{kind}: ")


@pytest.mark.parametrize(
    "below",
    [
        NAME,
        f"team/app/{NAME}",
        f"dt={TODAY}/x.ndjson",
        # Left to be judged: these are refused, and shown.
        f"{TODAY}-a.csv",
        "a//b",
        f"a.tmp/{NAME}",
        f"{TODAY}-tmp",
        f"{TODAY}-a_b.c",
    ],
)
def test_what_is_the_pipelines_passes(below: str) -> None:
    assert stopped("in", f"pipeline/input/{below}", SETTINGS) is None


def test_without_an_input_bucket_every_bucket_passes_but_that_of_the_quarantine() -> None:
    settings = replace(SETTINGS, input_bucket=None)
    assert stopped("any", GOOD, settings) is None
    stop = stopped("q", GOOD, settings)
    assert stop is not None
    assert (stop.kind, stop.is_loud) == ("quarantine bucket", True)


def test_every_rule_is_tried_here() -> None:
    assert {kind for _, _, kind in STOPPED} | {"quarantine bucket"} == {rule.kind for rule in RULES}
