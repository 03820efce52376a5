"""A local AWS of two feeds: resources, queue, timer and functions of each its own."""

import json
from pathlib import Path

import pytest

from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.local_aws import LocalAws, LocalAwsError, LocalAwsProcess, LocalAwsSettings
from ndjson_pipeline_tests.local_aws.conftest import FUNCTIONS, eventually

FEEDS = ("", "orders")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("feeds")


@pytest.fixture(scope="module")
def aws(folder: Path):
    settings = LocalAwsSettings(
        feeds=FEEDS,
        manifest_builder_handler="queue_functions.handler",
        sweeper_handler="queue_functions.tick",
        python_path=(FUNCTIONS,),
        lambda_variables={"RECORD_DIRECTORY": str(folder)},
        queue_concurrency=1,
        sweep_interval_seconds=0.5,
    )
    with LocalAws(directory=folder / "aws", settings=settings) as running:
        yield running


def recorded(folder: Path, pattern: str) -> list[dict]:
    """Return what the handlers recorded; a file that is being written is for the next look."""
    found = []
    for path in folder.glob(pattern):
        try:
            found.append(json.loads(path.read_text()))
        except ValueError:
            continue
    return found


def test_each_has_its_own_resources_and_the_first_is_the_default(aws: LocalAws) -> None:
    buckets = {bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]}
    assert buckets == {bucket for names in aws.feeds for bucket in names.buckets}
    assert aws.names == aws.feeds[0] == Names("dev", "123456789012")
    assert [names.feed for names in aws.feeds] == list(FEEDS)
    jobs = {job["Name"] for job in aws.client("glue").get_jobs()["Jobs"]}
    assert jobs == {names.glue_job for names in aws.feeds}


def test_an_object_reaches_the_builder_of_its_own_feed_alone(aws: LocalAws, folder: Path) -> None:
    files = {names.feed: f"2026-01-30-of-{names.feed or 'none'}.ndjson" for names in aws.feeds}
    for names in aws.feeds:
        key = f"pipeline/input/{files[names.feed]}"
        aws.client("s3").put_object(Bucket=names.input_bucket, Key=key, Body=b"{}\n")

    def came_from() -> dict[str, set[str]]:
        records = [each for event in recorded(folder, "*.json") for each in event.get("Records", [])]
        return {
            feed: {each["eventSourceARN"].rpartition(":")[2] for each in records if name in each["body"]}
            for feed, name in files.items()
        }

    eventually(lambda: all(came_from().values()))
    assert came_from() == {names.feed: {names.queue} for names in aws.feeds}


def test_the_timer_calls_the_sweeper_of_each(aws: LocalAws, folder: Path) -> None:
    rules = {f"arn:aws:events:us-east-1:123456789012:rule/{names.sweeper_function}" for names in aws.feeds}

    def called() -> set[str]:
        return {tick["event"]["resources"][0] for tick in recorded(folder, "*-tick.json")}

    eventually(lambda: called() == rules)


def test_a_function_is_told_of_its_own_feeds_resources(aws: LocalAws) -> None:
    for names in aws.feeds:
        variables = aws.runtime._functions[names.manifest_builder_function].variables
        assert variables["INPUT_BUCKET"] == names.input_bucket
        assert variables["QUEUE_URL"].endswith(f"/{names.queue}")
        assert variables["ALERT_TOPIC_ARN"].endswith(f":{names.alert_topic}")


def test_settings_reach_a_server_in_a_process_of_its_own() -> None:
    settings = LocalAwsSettings(feeds=("orders", "clicks"))
    assert LocalAwsSettings.from_json(settings.to_json()) == settings
    process = LocalAwsProcess(directory=Path("unused"), settings=settings)
    process._ready = {"account": "123456789012"}
    assert process.names == Names("dev", "123456789012", "orders")


@pytest.mark.parametrize("feeds", [("orders", "orders"), ("", "")])
def test_a_feed_is_there_once(feeds: tuple[str, ...]) -> None:
    with pytest.raises(LocalAwsError, match="feeds must name each feed once"):
        LocalAwsSettings(feeds=feeds)
