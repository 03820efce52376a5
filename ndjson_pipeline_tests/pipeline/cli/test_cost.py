"""`cost`: a day's bill, reckoned without AWS."""

from pathlib import Path

import pytest

from ndjson_pipeline_tests.pipeline.cli.conftest import Cli, Deny

TEN_THOUSAND = ("cost", "--files-per-day", "10000", "--file-mb", "3.5")


@pytest.fixture(autouse=True)
def no_aws(deny: Deny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is there to be asked, not even who asks."""
    deny()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


def test_the_bill_is_that_of_the_docs(cli: Cli) -> None:
    done = cli(*TEN_THOUSAND)
    assert done.code == 0, done
    files = next(line for line in done.out.splitlines() if line.startswith("= files")).split()
    assert files[-3:] == ["15.99", "4.79", "2.42"]
    assert "us-east-1, November 2026" in done.out


def test_a_program_gets_each_setting_with_its_latency(cli: Cli) -> None:
    found = cli(*TEN_THOUSAND, "--json").document
    assert [(one["launch_max_wait_seconds"], one["files_per_manifest"]) for one in found["scenarios"]] == [
        (wait, size) for size in (10, 50, 100) for wait in (0, 300, 900)
    ]
    for one in found["scenarios"]:
        assert one["usd"] == pytest.approx(sum(one["lines"].values()), abs=1e-5)
        assert one["latency_seconds"]["p50"] <= one["latency_seconds"]["p95"] <= one["latency_seconds"]["p99"]
        assert one["keeps_up"] is True
    first = found["scenarios"][0]
    assert first["usd_per_tb"] == pytest.approx(first["usd"] / (35_000 / 1_048_576), abs=0.01)


def test_waits_and_sizes_are_chosen(cli: Cli) -> None:
    found = cli(
        *TEN_THOUSAND, "--wait-seconds", "60", "--files-per-manifest", "1000", "--places", "4", "--json"
    ).document
    assert len(found["scenarios"]) == 1
    assert found["scenarios"][0]["launch_max_wait_seconds"] == 60
    assert found["places"] == 4


def test_prices_of_a_file_are_taken(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "flex.json"
    path.write_text('{"dpu_hour": 0}')
    found = cli(*TEN_THOUSAND, "--prices", str(path), "--json").document
    assert {one["lines"]["Glue"] for one in found["scenarios"]} == {0}
    assert str(path) in cli(*TEN_THOUSAND, "--prices", str(path)).out.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_platform_is_that_of_the_environment(cli: Cli, environment: str) -> None:
    found = cli(*TEN_THOUSAND, "--env", environment, "--json").document
    assert found["standing"]["environment"] == environment
    assert found["standing"]["usd"] > 3


def test_what_does_not_keep_up_is_said(cli: Cli) -> None:
    done = cli("cost", "--files-per-day", "100000000", "--file-mb", "3.5", "--files-per-manifest", "1000")
    assert done.code == 0
    assert "does not keep up" in done.out


def test_a_slow_stream_is_told_of_the_batch_s_age(cli: Cli) -> None:
    assert "MAX_BATCH_AGE_SECONDS" in cli("cost", "--files-per-day", "5").out


@pytest.mark.parametrize(
    "arguments",
    [
        ["cost"],
        ["cost", "--files-per-day", "0"],
        ["cost", "--files-per-day", "many"],
        ["cost", "--files-per-day", "1", "--file-mb", "0"],
        ["cost", "--files-per-day", "1", "--file-mb", "-1"],
        ["cost", "--files-per-day", "1", "--file-mb", "nan"],
        ["cost", "--files-per-day", "1", "--file-mb", "inf"],
        ["cost", "--files-per-day", "100000000", "--file-mb", "1000"],
        ["cost", "--files-per-day", "1", "--wait-seconds", "-1"],
        ["cost", "--files-per-day", "1", "--wait-seconds", "nan"],
        ["cost", "--files-per-day", "1", *(f"--wait-seconds={wait}" for wait in range(6))],
        ["cost", "--files-per-day", "1", "--files-per-manifest", "0"],
        ["cost", "--files-per-day", "1", "--places", "0"],
        ["cost", "--files-per-day", "1", "--keep-days", "nan"],
        ["cost", "--files-per-day", "1", "--prices", "no-such-file.json"],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_one_sentence(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.code == 2, done
    assert len(done.err.splitlines()) == 1
    assert cli(*arguments, "--json").document["error"]["exit_code"] == 2
