"""Counts over time: in the metrics table, and in CloudWatch by the embedded metric format."""

import random
from collections.abc import Mapping
from decimal import Decimal

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from botocore.exceptions import ClientError

from lambda_ingest.aws.patience import Patience, Refusal, RemainingSeconds, refusal_of
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import cancellation_reasons, to_item

NAMESPACE = "NdjsonPipeline"

# A count is not worth more of a Lambda's time than this; it is among the last things that an invocation does.
_MOST_SECONDS = 2.0
_RESERVED_SECONDS = 2.0
# Digits of the second's fraction below the microsecond, drawn at random to tell apart writes of one instant.
_RANDOM_DIGITS = 6


class MetricCollisionError(IngestError):
    """Every attempt to find a free instant for a metric failed, or other writers held it."""


class MetricsThrottledError(IngestError):
    """The metrics table is throttled, and a count is not worth a longer wait."""


class Metrics:
    """Writes metrics; two writes in the same instant both survive."""

    def __init__(
        self,
        table: Table | None,
        *,
        draw: random.Random,
        patience: Patience,
    ) -> None:
        self._table = table
        self._draw = draw
        self._patience = patience

    def put(self, values: Mapping[str, int | Decimal], remaining_seconds: RemainingSeconds) -> None:
        """Write one value of each metric type, all or none.

        Raises:
            ClientError: DynamoDB refused or failed.
            MetricCollisionError: no free instant was found.
            MetricsThrottledError: the table is throttled.
        """
        if self._table is None or not values:
            return
        now = self._table.clock()
        waits = self._patience.waits(
            remaining_seconds, reserved_seconds=_RESERVED_SECONDS, most_seconds=_MOST_SECONDS
        )
        while True:
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
                # An instant that is taken is contention, too: the next draw finds another.
                refusal = refusal_of(error) or Refusal.CONTENDED
                if not waits.again(refusal):
                    raise _refused(refusal, f"{self._table.name} refused {sorted(values)} {waits}") from error
            else:
                return


def _refused(refusal: Refusal, said: str) -> IngestError:
    if refusal is Refusal.THROTTLED:
        return MetricsThrottledError(f"{said}; it is throttled: raise its write capacity")
    return MetricCollisionError(f"{said}, for other writers held the instants")


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
