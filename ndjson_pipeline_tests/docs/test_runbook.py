"""The night runbook has an entry for whatever wakes somebody, and names commands that there are."""

import re

import dagster as dg
import pytest
from typer.main import get_command

from ndjson_pipeline.cli.app import app
from ndjson_pipeline.conversion.checks import check_specs
from ndjson_pipeline_tests.docs.pages import PROGRAM, ROOT, pages

RUNBOOK = pages()["docs/operations.md"].partition("## Night runbook")[2].partition("\n## ")[0]


def alarms() -> list[str]:
    """Return the alarms that the Terraform makes, by the names that they are known by."""
    feed = (ROOT / "deploy/terraform/modules/feed/alarms.tf").read_text()
    dagster = (ROOT / "deploy/terraform/modules/dagster/alarms.tf").read_text()
    named = re.findall(r"^    ([A-Z][A-Za-z-]+) = \{", feed, re.MULTILINE)
    named += [f"FileTracking-{kind}Throttle" for kind in ("Read", "Write")]
    # The text behind what stands for a component.
    return named + re.findall(r'alarm_name += "[^"]*\}-([A-Za-z]+)"', dagster)


@pytest.mark.parametrize("alarm", alarms())
def test_each_alarm_has_an_entry(alarm: str) -> None:
    assert f"`{alarm}`" in RUNBOOK


def test_the_alarms_that_were_promised_are_among_them() -> None:
    promised = {
        "Lambda-Errors",
        "Lambda-Throttles",
        "Lambda-ConcurrentExecutions",
        "FileTracking-ReadThrottle",
        "FileTracking-WriteThrottle",
        "GlueJob-Failures",
    }
    assert promised <= set(alarms())


@pytest.mark.parametrize("kind", ["FunctionError", "WillRetry", "overwritten", "refused"])
def test_each_alert_has_an_entry(kind: str) -> None:
    assert kind in RUNBOOK


def test_each_check_has_an_entry() -> None:
    specs = check_specs(dg.AssetKey("merged_parquet"), dg.DailyPartitionsDefinition("2026-01-01"))
    assert [spec.name for spec in specs if f"`{spec.name}`" not in RUNBOOK] == []


def test_each_job_of_the_ui_is_told() -> None:
    jobs = pages()["docs/operations.md"].partition("## Jobs")[2].partition("\n## ")[0]
    source = "".join((ROOT / f"ndjson_pipeline/{name}.py").read_text() for name in ("jobs", "schema_jobs"))
    names = re.findall(r'^[A-Z_]+_JOB = "([a-z_]+)"$', source, re.MULTILINE)
    assert names
    # What the manifest sensor launches is no person's.
    assert [name for name in names if name != "convert_manifests" and f"`{name}`" not in jobs] == []


def test_what_the_program_advises_is_a_command() -> None:
    """A next step that an operator reads at night can be typed as it stands."""
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    advised: set[str] = set()
    for folder in ("ndjson_pipeline", "lambda_ingest", "glue_jobs"):
        for path in (ROOT / folder).rglob("*.py"):
            advised |= set(re.findall(rf"`{PROGRAM} ([a-z][a-z-]*)", path.read_text()))
    assert advised <= known


def test_every_invariant_is_stated_where_it_is_cited() -> None:
    stated = re.findall(r"^\| (I\d+) \|", pages()["docs/architecture.md"], re.MULTILINE)
    assert stated == [f"I{number}" for number in range(1, 18)]
    cited = {name for text in pages().values() for name in re.findall(r"\bI\d+\b", text)}
    assert cited <= set(stated)
