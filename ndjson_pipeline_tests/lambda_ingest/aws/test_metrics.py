"""Counts in CloudWatch, by the embedded metric format."""

import json
from typing import Any

import pytest

from lambda_ingest.aws.metrics import emit_to_cloudwatch
from ndjson_pipeline.deployment.names import Names

VALUES = {"files_processed": 3, "oldest_pending_seconds": 7}


def emitted(function_name: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    emit_to_cloudwatch(VALUES, function_name)
    return json.loads(capsys.readouterr().out)


def test_a_metric_is_of_one_function_of_one_feed(capsys: pytest.CaptureFixture[str]) -> None:
    """CloudWatch tells metrics apart by namespace, name and dimensions: no two feeds' are added up."""
    series = []
    for feed in ("", "orders", "clicks"):
        names = Names("prod", "123456789012", feed)
        for function in (names.manifest_builder_function, names.sweeper_function):
            document = emitted(function, capsys)
            for metrics in document["_aws"]["CloudWatchMetrics"]:
                for dimensions in metrics["Dimensions"]:
                    values = tuple((name, document[name]) for name in dimensions)
                    series += [
                        (metrics["Namespace"], metric["Name"], values) for metric in metrics["Metrics"]
                    ]
    assert len(series) == len(set(series)) == 3 * 2 * len(VALUES)
