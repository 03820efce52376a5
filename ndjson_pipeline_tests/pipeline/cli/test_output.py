"""What is shown: within 100 columns, escaped, and the errors of AWS as sentences."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from botocore import exceptions as aws
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.contract.errors import ContractError
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.failures import UsageError, failure_of
from ndjson_pipeline.cli.output import WIDTH, Column, ConsoleOutput, Facts, JsonOutput, Line, Listing
from ndjson_pipeline.cli.session import CommonOptions
from ndjson_pipeline.cli.texts import age, counted, instant, short_glue_id, size_mb
from ndjson_pipeline.desk.calls import LastCalls, target_of
from ndjson_pipeline.desk.dead_letters import objects_of
from ndjson_pipeline.errors import PipelineError, SettingsError

LONG = "s3://bucket/" + "x" * 500


@given(st.lists(st.text(max_size=300), min_size=3, max_size=3))
def test_whatever_stands_in_it_a_table_fits_and_is_printable(cells: list[str]) -> None:
    import contextlib  # noqa: PLC0415 - hypothesis and capsys do not go together
    import io  # noqa: PLC0415

    text = io.StringIO()
    columns = [Column("a"), Column("b"), Column("c")]
    blocks = [Facts(cells[0], {"name": cells[1]}), Listing(cells[2], columns, [cells]), Line(cells[0])]
    with contextlib.redirect_stdout(text):
        ConsoleOutput().show({}, blocks)
    lines = text.getvalue().split("\n")
    assert all(character.isprintable() for line in lines for character in line.replace("\t", ""))
    from rich.cells import cell_len  # noqa: PLC0415

    assert max(map(cell_len, lines)) <= WIDTH


def test_json_writes_what_json_has_no_kind_for(capsys: pytest.CaptureFixture[str]) -> None:
    document = {
        "at": datetime(2026, 1, 30, tzinfo=UTC),
        "day": date(2026, 1, 30),
        "whole": Decimal(3),
        "part": Decimal("0.5"),
        "names": {"b", "a"},
        "bytes": b"\x01",
    }
    JsonOutput().show(document, [])
    assert json.loads(capsys.readouterr().out) == {
        "at": "2026-01-30T00:00:00.000000Z",
        "day": "2026-01-30",
        "whole": 3,
        "part": 0.5,
        "names": ["a", "b"],
        "bytes": "01",
    }


def test_an_option_after_the_command_counts_more_than_one_before_it() -> None:
    after = CommonOptions(env="prod", json=True)
    both = after.over(CommonOptions(env="dev", region="eu-central-1"))
    assert (both.env, both.region, both.json) == ("prod", "eu-central-1", True)
    assert both.variables() == {
        "NDJSON_ENVIRONMENT": "prod",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }


def refusal(code: str, operation: str = "Query") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": "said\x1b[31m"}}, operation)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (refusal("AccessDenied"), 1, "may not use"),
        (refusal("ExpiredToken"), 1, "log in"),
        (refusal("ResourceNotFoundException"), 1, "is this the right --env"),
        (refusal("ProvisionedThroughputExceededException"), 1, "throttled"),
        (refusal("Odd"), 1, "AWS refused Query of what was asked: Odd: said\\x1b[31m"),
        (aws.NoRegionError(), 1, "--region"),
        (aws.NoCredentialsError(), 1, "log in"),
        (aws.ProfileNotFound(profile="x"), 1, "AWS_PROFILE"),
        (aws.EndpointConnectionError(endpoint_url="http://here"), 1, "nothing answers at http://here"),
        (aws.ReadTimeoutError(endpoint_url="http://here"), 1, "broke off"),
        (UsageError("so"), 2, "so"),
        (SettingsError("so"), 2, "so"),
        (PipelineError("so"), 1, "so"),
        (ContractError("so"), 1, "so"),
        (ValueError("a bug"), 1, "--debug"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_error_is_a_sentence(error: Exception, code: int, said: str) -> None:
    failure = failure_of(error, LastCalls())
    assert failure.exit_code == code
    assert said in failure.message
    assert "\n" not in failure.message


@pytest.mark.parametrize(
    ("params", "target"),
    [
        ({"TableName": "t"}, "table t"),
        ({"TableName": "t", "IndexName": "i"}, "index i of table t"),
        ({"Bucket": "b"}, "bucket b"),
        ({"Bucket": "b", "Key": "k"}, "s3://b/k"),
        ({"TableName": "t", "Key": {"a": {"S": "b"}}}, "table t"),
        ({"QueueUrl": "http://x/1/q"}, "queue q"),
        ({"TopicArn": "arn:aws:sns:r:1:topic"}, "topic topic"),
        ({"DatabaseName": "d", "Name": "t"}, "catalog d.t"),
        ({"RequestItems": {"t": {}}}, "table t"),
        ({}, None),
    ],
)
def test_a_call_is_known_by_what_it_is_about(params: dict[str, Any], target: str | None) -> None:
    assert target_of(params) == target


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_any_body_of_a_message_is_read(body: str) -> None:
    objects, kind = objects_of(body)
    assert objects == []
    assert kind


def test_texts_of_cells() -> None:
    now = datetime(2026, 1, 30, 12, tzinfo=UTC)
    assert counted({"b": 1, "a": 2000, "c": 0}) == "2,000 a, 1 b"
    assert instant("2026-01-30T12:34:56Z") == "01-30 12:34:56"
    assert instant("?") == "?"
    assert [age(now.replace(hour=hour), now) for hour in (12, 11, 2)] == ["0 s", "1 h 0 min", "10 h 0 min"]
    assert short_glue_id("jr_" + "a" * 64) == "jr_aaaaaaaa…"
    assert [size_mb(value) for value in (None, 0.0, 3.5, 0.00012)] == ["-", "0.0", "3.5", "0.0001"]


def test_exit_codes_are_what_is_promised() -> None:
    assert [code.value for code in ExitCode] == [0, 1, 2, 3]
