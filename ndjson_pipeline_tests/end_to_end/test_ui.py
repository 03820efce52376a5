"""What an operator sees of the platform in Dagster's UI, in a real browser."""

import json
import os
import random
import re
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from lambda_ingest.contract.records import ManifestStatus
from lambda_ingest.contract.sample_input import generate_file
from ndjson_pipeline.cli.dev import free_port
from ndjson_pipeline.deployment.names import location_name
from ndjson_pipeline.laptop.dagster_process import dev_command
from ndjson_pipeline.laptop.demo.input_files import InputFile
from ndjson_pipeline.laptop.demo.run import DEMO_SETTINGS
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline.laptop.workspace import definitions_of
from ndjson_pipeline_tests.browser import browser
from ndjson_pipeline_tests.end_to_end.conftest import Running, past
from ndjson_pipeline_tests.end_to_end.light_dagster import use_light_dagster
from ndjson_pipeline_tests.end_to_end.processes import await_true, processes_with_variable
from ndjson_pipeline_tests.patience import PATIENCE

pytestmark = [pytest.mark.daemon, pytest.mark.spark, pytest.mark.timeout(240)]

# A folder to write pictures of the pages into, for docs/operations.md.
SCREENSHOTS_VARIABLE = "NDJSON_SCREENSHOTS"
LOCATION, REPOSITORY = location_name(""), "__repository__"
# Milliseconds until a text must be there; the UI asks the server anew every few seconds.
SOON = 30_000 * PATIENCE
HAS_DRAWN = """
canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(byte => byte)
"""
LAUNCH_BACKFILL = """
mutation($assets: [AssetKeyInput!]!, $dates: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $assets, partitionNames: $dates}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
CHECK_RESULTS = """
query($asset: AssetKeyInput!, $name: String!) {
  assetCheckExecutions(assetKey: $asset, checkName: $name, limit: 100) { status partition }
}
"""


class Ui:
    """The UI of a platform that is running."""

    def __init__(self, running: Running, address: str, alerts: Callable[[], list[dict[str, Any]]]) -> None:
        self.running = running
        self.address = address
        self.alerts = alerts

    def launch_backfill(self, dates: list[str]) -> str:
        """Launch a backfill of `merged_parquet` as the UI does, and return its id."""
        answer = self._ask(LAUNCH_BACKFILL, {"assets": [{"path": ["merged_parquet"]}], "dates": dates})
        launched = answer["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", answer
        return str(launched["backfillId"])

    def check_results(self, name: str) -> dict[str | None, list[str]]:
        """Return the states of a check's results by their partition, the newest first, as the UI has them."""
        answer = self._ask(CHECK_RESULTS, {"asset": {"path": ["merged_parquet"]}, "name": name})
        found: dict[str | None, list[str]] = {}
        for result in answer["assetCheckExecutions"]:
            found.setdefault(result["partition"], []).append(result["status"])
        return found

    def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.address}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60 * PATIENCE) as answer:
            document = json.loads(answer.read())
        assert document.get("data"), document
        return dict(document["data"])

    def started_run(self, backfill: str, partition: str) -> str:
        """Return the id of a backfill's run of a date, once it goes."""
        filters = dg.RunsFilter(
            tags={"dagster/backfill": backfill, "dagster/partition": partition},
            statuses=[dg.DagsterRunStatus.STARTED],
        )
        return await_true(lambda: [run.run_id for run in self.running.instance.get_runs(filters)], 60)[0]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page as large as a laptop's window; it comes first, as without a browser nothing need start."""
    with browser() as started:
        opened = started.new_page(viewport={"width": 1280, "height": 800})
        opened.set_default_timeout(SOON)
        expect.set_options(timeout=SOON)
        yield opened


@pytest.fixture(scope="module")
def port() -> int:
    return free_port(0, "--port")


@pytest.fixture(scope="module")
def starting(page: Page, scratch: Path, restored_environment: None, port: int) -> Iterator[LocalPlatform]:
    """The platform as `make dev` runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(scratch))
        use_light_dagster(patch)
        command = dev_command(port, definitions_of(scratch, [""]))
        with LocalPlatform(
            scratch / "platform", command, settings=DEMO_SETTINGS, dagster_url=address_of(port)
        ) as platform:
            yield platform
        await_true(lambda: not processes_with_variable("TMPDIR", str(scratch)), 10)


def address_of(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def files_of(day: str, count: int, now: datetime) -> list[InputFile]:
    draw = random.Random(day)
    made = [generate_file(date.fromisoformat(day), n, now, 200_000, draw) for n in range(1, count + 1)]
    return [InputFile(file.name, file.content, file.record_count) for file in made]


@pytest.fixture(scope="module")
def ui(running: Running, port: int, now: datetime) -> Ui:
    """The UI after some work: two dates converted, and one that failed."""
    running.platform.await_sensors(running.instance)
    alerts = running.subscribe_to_alerts()
    files = [file for days, count in ((2, 3), (3, 2)) for file in files_of(past(now, days), count, now)]
    running.put(f"{past(now, 5)}-broken.ndjson", b"this is no JSON\n" * 20)
    running.upload(files)
    running.await_converted(files, 120)
    running.await_records(past(now, 5), ManifestStatus.FAILED, 1, 60)
    await_true(lambda: running.materialized("manifests", "files_processed") >= len(files), 60)
    running.await_no_run(60)
    return Ui(running, address_of(port), alerts)


@pytest.fixture(scope="module")
def picture(page: Page) -> Callable[[str], None]:
    """Writes a picture of the page where a folder was asked for."""
    folder = os.environ.get(SCREENSHOTS_VARIABLE)

    def take(name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder, f"{name}.png"), animations="disabled")

    return take


def test_the_graph_leads_from_raw_files_over_manifests_to_parquet(
    ui: Ui, page: Page, picture: Callable[[str], None]
) -> None:
    page.goto(f"{ui.address}/assets/merged_parquet?view=lineage&lineageScope=upstream&lineageDepth=2")
    nodes = page.locator("foreignObject")
    boxes = []
    for name in ("raw_ndjson", "manifests", "merged_parquet"):
        node = nodes.filter(has_text=name)
        expect(node).to_have_count(1)
        boxes.append(node.bounding_box())
    assert None not in boxes
    assert [box["x"] for box in boxes if box] == sorted(box["x"] for box in boxes if box)
    # An arrow between each and the next.
    expect(page.locator("svg path[marker-end]")).to_have_count(2)
    expect(nodes.filter(has_text="merged_parquet")).to_contain_text("1 failed")
    expect(nodes.filter(has_text="Loading")).to_have_count(0)
    picture("asset-graph")


def test_the_link_in_an_alert_opens_the_run_that_failed(ui: Ui, page: Page) -> None:
    (alert,) = await_true(ui.alerts, 60)
    page.goto(alert["DagsterRunUrl"])
    expect(page.get_by_text(alert["DagsterRunId"].partition("-")[0]).first).to_be_visible()
    expect(page.get_by_text("Failure", exact=True).first).to_be_visible()
    expect(page.get_by_text("records rejected").first).to_be_visible()


def test_the_manifest_sensor_shows_its_ticks(ui: Ui, page: Page, picture: Callable[[str], None]) -> None:
    page.goto(f"{ui.address}/locations/{REPOSITORY}@{LOCATION}/sensors/manifest_sensor")
    # Each tick has its logs; the row of the latest one, above them, has none.
    ticks = page.get_by_role("row").filter(has_text="View logs")
    idle = ticks.filter(has_text=re.compile(r"\b0 runs requested"))
    expect(idle.first).to_be_visible()
    picture("sensor-ticks")
    page.get_by_text("All ticks", exact=True).click()
    page.get_by_text("Requested", exact=True).click()
    expect(idle).to_have_count(0)
    expect(ticks.filter(has_text=re.compile(r"\b[1-9]\d* runs? requested")).first).to_be_visible()


def test_a_backfill_shows_its_lines_while_it_runs_and_its_dates_in_the_bar(
    ui: Ui, page: Page, now: datetime, picture: Callable[[str], None]
) -> None:
    converted, without_manifests = past(now, 2), past(now, 4)
    page.goto(f"{ui.address}/assets/merged_parquet?view=partitions")
    expect(page.get_by_text("Materialized (2)")).to_be_visible()
    backfill = ui.launch_backfill([converted, without_manifests])

    page.goto(f"{ui.address}/runs/{ui.started_run(backfill, converted)}")
    expect(page.get_by_text(re.compile(r"^Glue run jr_\w+ is RUNNING$"))).to_be_visible()
    # The page is not loaded again: what comes now is pushed to it while the run goes on.
    expect(page.get_by_text("RUN_SUCCESS", exact=True)).to_have_count(0)
    expect(page.get_by_text(re.compile(r"^files 3 of 3, [\d,]+ records, "))).to_be_visible()
    picture("live-run")
    expect(page.get_by_text("RUN_SUCCESS", exact=True)).to_be_visible()
    ui.running.await_no_run(60)

    page.goto(f"{ui.address}/assets/merged_parquet?view=partitions&partition={converted}")
    expect(page.get_by_text("Materialized (3)")).to_be_visible()
    expect(page.get_by_text("Failed (1)")).to_be_visible()
    # Beside the bar, the numbers of the chosen date.
    records = sum(file.record_count for file in files_of(converted, 3, now))
    processed = page.get_by_role("row").filter(has_text=re.compile(r"^records_processed"))
    expect(processed).to_have_text(re.compile(rf"^records_processed\s*{records}$"))
    picture("partitions")


def test_each_date_has_its_own_check_results_and_no_skipped_one_beside_them(ui: Ui, now: datetime) -> None:
    ui.running.await_no_run(60)
    dates = {past(now, days): "SUCCEEDED" for days in (2, 3, 4)} | {past(now, 5): "FAILED"}
    results = ui.check_results("all_manifests_completed")
    assert {date: states[0] for date, states in results.items()} == dates
    assert set(ui.check_results("row_conservation")) == set(dates)
    for name in (
        "rejected_fraction",
        "all_manifests_completed",
        "schema_changed",
        "catalog_follows_contract",
    ):
        states = [state for of_date in ui.check_results(name).values() for state in of_date]
        assert set(states) <= {"SUCCEEDED", "FAILED"}


def test_a_failed_date_stays_red_in_the_bar_when_more_of_it_is_converted(
    ui: Ui, page: Page, now: datetime
) -> None:
    failed = past(now, 5)
    ui.running.upload(files_of(failed, 1, now))
    ui.running.await_records(failed, ManifestStatus.COMPLETED, 1, 120)
    ui.running.await_no_run(60)
    page.goto(f"{ui.address}/assets/merged_parquet?view=partitions&partition={failed}")
    expect(page.get_by_text("Failed (1)")).to_be_visible()
    expect(page.get_by_text("Materialized (3)")).to_be_visible()


def test_the_asset_says_what_it_is_with_its_columns_and_its_table(
    ui: Ui, page: Page, picture: Callable[[str], None]
) -> None:
    page.goto(f"{ui.address}/assets/merged_parquet?view=overview")
    expect(page.get_by_text("All records of a UTC date as Parquet, one row a record")).to_be_visible()
    expect(page.get_by_text("ndjson_parquet_dev.merged_parquet").first).to_be_visible()
    expect(page.get_by_text("Row count", exact=True)).to_be_visible()
    expect(page.get_by_placeholder("Filter columns")).to_be_visible()
    column = page.get_by_role("row").filter(has_text=re.compile("^_source_file"))
    expect(column).to_contain_text("string")
    expect(column).to_contain_text("non-nullable")
    expect(column).to_contain_text("The S3 URI of the file that the row came from.")
    picture("columns")


def test_the_very_first_columns_are_no_warning(ui: Ui) -> None:
    assert {state for states in ui.check_results("schema_changed").values() for state in states} == {
        "SUCCEEDED"
    }


def test_the_input_of_each_date_is_observed(ui: Ui, now: datetime) -> None:
    def seen() -> dict[str | None, Any]:
        records = ui.running.instance.fetch_observations(dg.AssetKey("raw_ndjson"), limit=100).records
        events = [record.asset_observation for record in reversed(records) if record.asset_observation]
        return {event.partition: event.metadata["files_accepted"].value for event in events}

    expected = {past(now, 2): 3, past(now, 3): 2}
    await_true(lambda: expected.items() <= seen().items(), 90)


def test_the_numbers_of_the_dates_are_plotted(ui: Ui, page: Page, picture: Callable[[str], None]) -> None:
    page.goto(f"{ui.address}/assets/merged_parquet")
    page.get_by_text("Plots", exact=True).click()
    for number in ("records_processed", "records_rejected", "input_size_mb", "execution_time_seconds"):
        expect(page.get_by_text(number, exact=True)).to_be_visible()
    # Drawn, and not the blank that a canvas is before.
    last = page.locator("canvas").last
    last.scroll_into_view_if_needed()
    await_true(lambda: last.evaluate(HAS_DRAWN), 30)
    page.get_by_text("input_size_mb", exact=True).evaluate("title => title.scrollIntoView({block: 'start'})")
    picture("metadata-plots")
