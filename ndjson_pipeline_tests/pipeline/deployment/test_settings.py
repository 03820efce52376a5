"""Settings of the code location."""

from datetime import timedelta

import pytest

from ndjson_pipeline.deployment.settings import WAIT_BESIDE_A_SIZE, PipelineSettings
from ndjson_pipeline.errors import SettingsError


@pytest.mark.parametrize(
    ("variables", "environment"),
    [
        ({}, "dev"),
        ({"NDJSON_ENVIRONMENT": ""}, "dev"),
        ({"NDJSON_ENVIRONMENT": " prod "}, "prod"),
        ({"NDJSON_ENVIRONMENT": "dev"}, "dev"),
    ],
)
def test_reads_the_environment(variables: dict[str, str], environment: str) -> None:
    assert PipelineSettings.from_environment(variables).environment == environment


@pytest.mark.parametrize("wrong", ["staging", "PROD", "dev,prod"])
def test_a_wrong_environment_is_named_with_the_right_ones(wrong: str) -> None:
    with pytest.raises(SettingsError, match=f"NDJSON_ENVIRONMENT must be one of dev, prod, got '{wrong}'"):
        PipelineSettings.from_environment({"NDJSON_ENVIRONMENT": wrong})


def test_the_dial_and_the_workers_are_set_by_the_environment() -> None:
    settings = PipelineSettings.from_environment(
        {
            "LAUNCH_MIN_MB": "512",
            "LAUNCH_MAX_WAIT_SECONDS": "300",
            "GLUE_WORKER_TYPE": "G.2X",
            "GLUE_NUMBER_OF_WORKERS": "4",
            "GLUE_MAX_WORKERS": "20",
        }
    )
    assert (settings.launch_min_mb, settings.launch_max_wait) == (512.0, timedelta(minutes=5))
    assert (settings.worker_type, settings.number_of_workers, settings.max_workers) == ("G.2X", 4, 20)


@pytest.mark.parametrize(
    ("variables", "feed"),
    [
        ({}, ""),
        ({"NDJSON_FEED": ""}, ""),
        ({"NDJSON_FEED": " web-orders "}, "web-orders"),
        ({"NDJSON_FEED": "a" * 20}, "a" * 20),
    ],
)
def test_the_environment_names_the_feed(variables: dict[str, str], feed: str) -> None:
    assert PipelineSettings.from_environment(variables).feed == feed


@pytest.mark.parametrize("wrong", ["Orders", "1st", "a_b", "a" * 21, "glue"])
def test_a_wrong_feed_is_named_with_every_other_wrong_variable(wrong: str) -> None:
    with pytest.raises(SettingsError, match=f"NDJSON_FEED must .*{wrong}.*GLUE_MAX_CONCURRENT_RUNS must be"):
        PipelineSettings.from_environment({"NDJSON_FEED": wrong, "GLUE_MAX_CONCURRENT_RUNS": "0"})


@pytest.mark.parametrize(("text", "places"), [("", 2), ("1", 1), ("200", 200)])
def test_the_environment_says_how_many_runs_convert_at_once(text: str, places: int) -> None:
    settings = PipelineSettings.from_environment({"GLUE_MAX_CONCURRENT_RUNS": text})
    assert settings.max_concurrent_runs == places


def test_without_a_dial_a_date_is_launched_at_once() -> None:
    settings = PipelineSettings.from_environment({"LAUNCH_MIN_MB": "0", "LAUNCH_MAX_WAIT_SECONDS": ""})
    assert (settings.launch_min_mb, settings.launch_max_wait) == (0.0, timedelta(0))


def test_a_size_alone_lets_nothing_wait_for_ever() -> None:
    settings = PipelineSettings.from_environment({"LAUNCH_MIN_MB": "512"})
    assert settings.launch_max_wait == WAIT_BESIDE_A_SIZE


def test_a_job_of_many_workers_is_given_at_least_these() -> None:
    assert PipelineSettings.from_environment({"GLUE_NUMBER_OF_WORKERS": "30"}).max_workers == 30


def test_every_wrong_variable_is_named_at_once() -> None:
    variables = {
        "NDJSON_ENVIRONMENT": "staging",
        "LAUNCH_MIN_MB": "-1",
        "LAUNCH_MAX_WAIT_SECONDS": "soon",
        "GLUE_NUMBER_OF_WORKERS": "1",
        "GLUE_MAX_WORKERS": "1.5",
    }
    with pytest.raises(SettingsError) as caught:
        PipelineSettings.from_environment(variables)
    assert all(name in str(caught.value) for name in variables)
