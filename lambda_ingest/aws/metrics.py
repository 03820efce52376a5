"""Counts over time: in the metrics table, and in CloudWatch by the embedded metric format."""

import random
from collections.abc import Mapping
from decimal import Decimal

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from botocore.exceptions import ClientError

from lambda_ingest.aws.table import Table
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import cancellation_reasons, to_item

NAMESPACE = "NdjsonPipeline"

_ATTEMPTS = 5
# Digits of the second's fraction below the microsecond, drawn at random to tell apart writes of one instant.
_RANDOM_DIGITS = 6


class MetricCollisionError(IngestError):
    """Every attempt to find a free instant for a metric failed."""


class Metrics:
    """Writes metrics; two writes in the same instant both survive."""

    def __init__(
        self,
        table: Table | None,
        *,
        draw: random.Random,
    ) -> None:
        self._table = table
        self._draw = draw

    def put(self, values: Mapping[str, int | Decimal]) -> None:
        """Write one value of each metric type, all or none.

        Raises:
            ClientError: DynamoDB refused or failed.
            MetricCollisionError: no free instant was found.
        """
        if self._table is None or not values:
            return
        now = self._table.clock()
        for _ in range(_ATTEMPTS):
            fraction = Decimal(self._draw.randrange(10**_RANDOM_DIGITS)).scaleb(-6 - _RANDOM_DIGITS)
            instant = Decimal(f"{now.timestamp():.6f}") + fraction
            try:
                self._table.dynamodb.transact_write_items(
                    TransactItems=[
                        {
                            "Put": {
                                "TableName": self._table.name,
                                "Item": to_item(
                                    {
                                        "metric_type": metric_type,
                                        "timestamp": instant,
                                        "value": value,
                                        "ttl": self._table.expiry(now),
                                    }
                                ),
                                "ConditionExpression": "attribute_not_exists(metric_type)",
                            }
                        }
                        for metric_type, value in values.items()
                    ]
                )
            except ClientError as error:
                if not cancellation_reasons(error):
                    raise
            else:
                return
        raise MetricCollisionError(f"{self._table.name} refused {sorted(values)} at {_ATTEMPTS} instants")


def emit_to_cloudwatch(values: Mapping[str, int | Decimal], function_name: str) -> None:
    """Print the values as one line of the embedded metric format, which CloudWatch Logs turns into metrics.

    Costs no call. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html
    """
    if not values:
        return
    metrics = EphemeralMetrics(namespace=NAMESPACE, service="ndjson-ingest")
    metrics.add_dimension("function", function_name)
    for name, value in values.items():
        unit = MetricUnit.Seconds if name.endswith("_seconds") else MetricUnit.Count
        metrics.add_metric(name, unit, float(value))
    metrics.flush_metrics()
