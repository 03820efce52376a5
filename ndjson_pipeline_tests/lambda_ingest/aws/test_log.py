"""No text from outside forges a line of the log, or shows as what it is not."""

import io
import json
import logging
from typing import Any

import pytest

from lambda_ingest.aws.log import logger
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, Ingest

HOSTILE = "a\nERROR forged\r\x1b[31m\x85\u2028\u202egpj\u200f\ufeff\x7f"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logger.registered_formatter)
    logger._logger.addHandler(handler)
    monkeypatch.setattr(logger._logger, "_hostile_test", True, raising=False)
    yield stream
    logger._logger.removeHandler(handler)


def test_each_line_is_one_and_shows_nothing_that_is_not_printable(lines: io.StringIO) -> None:
    logger.warning(HOSTILE, uri=HOSTILE, nested={HOSTILE: [HOSTILE]}, long="x" * 100_000)
    try:
        int(HOSTILE)
    except ValueError:
        logger.exception("It failed")
    first, second = lines.getvalue().splitlines()
    assert all(each.isprintable() for each in (first, second))
    logged = json.loads(first)
    assert logged["message"].startswith(r"a\nERROR forged\r\x1b[31m\x85\u2028\u202egpj")
    assert logged["service"] == "ndjson-ingest"
    assert logged["level"] == "WARNING"
    assert len(logged["long"]) <= 1_200
    assert "\n" in json.loads(second)["exception"]
    assert r"\u202e" in json.loads(second)["exception"]
    assert "\u202e" not in json.loads(second)["exception"]


def test_a_hostile_key_forges_nothing_anywhere(
    ingest: Ingest, lines: io.StringIO, alerts: list[dict[str, Any]]
) -> None:
    events = [ingest.put(f"{TODAY}-{number}-{HOSTILE}.csv") for number in range(10)]
    assert ingest.deliver(*events) == []
    assert lines.getvalue()
    assert all(line.isprintable() and json.loads(line) for line in lines.getvalue().splitlines())
    shown = [text_of(ingest.reports()), text_of(alerts)]
    assert [len(alert["Examples"]) for alert in alerts] == [3]
    shown += [text_of(record["reason"]) for record in ingest.file_records().values()]
    assert all(each.isprintable() for each in shown)


def text_of(value: Any) -> str:
    """Return every text in a value, joined."""
    if isinstance(value, dict):
        return "".join(text_of(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return "".join(map(text_of, value))
    return value if isinstance(value, str) else ""
