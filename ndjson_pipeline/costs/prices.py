"""List prices, in one place, with their date, region and source; a file may put others in their place."""

import json
import math
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from lambda_ingest.contract.text import printable
from ndjson_pipeline.errors import SettingsError
from ndjson_pipeline.glue.cost import LIST_PRICE_USD

REGION = "us-east-1"
AS_OF = "November 2026"
HOURS_A_MONTH = 730.0
DAYS_A_MONTH = 30.0
# Where each price is read; free tiers are left out.
SOURCES = {
    "Glue": "https://aws.amazon.com/glue/pricing/",
    "Lambda": "https://aws.amazon.com/lambda/pricing/",
    "SQS": "https://aws.amazon.com/sqs/pricing/",
    "S3": "https://aws.amazon.com/s3/pricing/",
    "DynamoDB": "https://aws.amazon.com/dynamodb/pricing/",
    "CloudWatch": "https://aws.amazon.com/cloudwatch/pricing/",
    "Fargate": "https://aws.amazon.com/fargate/pricing/",
    "RDS": "https://aws.amazon.com/rds/postgresql/pricing/",
    "PrivateLink": "https://aws.amazon.com/privatelink/pricing/",
    "load balancing": "https://aws.amazon.com/elasticloadbalancing/pricing/",
    "Route 53": "https://aws.amazon.com/route53/pricing/",
    "Secrets Manager": "https://aws.amazon.com/secrets-manager/pricing/",
}
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Prices:
    """List prices, in USD.

    Attributes:
        lambda_gb_second: of arm64.
        lambda_million: a million requests.
        sqs_million: a million requests.
        s3_put_thousand: a thousand writes or lists.
        s3_get_thousand: a thousand reads.
        s3_gb_month: storage.
        write_million: a million write units on demand.
        read_million: a million read units on demand.
        write_unit_hour: a provisioned write unit an hour.
        read_unit_hour: a provisioned read unit an hour.
        dpu_hour: of a Glue run; of the flexible class it is 0.29.
        log_gb: written to CloudWatch.
        alarm_month: an alarm, or each metric that it looks at.
        fargate_core_hour: a core of Fargate on ARM an hour.
        fargate_gb_hour: a GB of Fargate on ARM an hour.
        database_hour: db.t4g.micro an hour; with a standby twice that.
        database_gb_month: a GB of gp3 a month; with a standby twice that.
        endpoint_hour: an interface endpoint an hour and zone.
        balancer_hour: an Application Load Balancer an hour.
        zone_month: a private zone of Route 53.
        secret_month: a secret.
    """

    lambda_gb_second: float = 0.0000133334
    lambda_million: float = 0.20
    sqs_million: float = 0.40
    s3_put_thousand: float = 0.005
    s3_get_thousand: float = 0.0004
    s3_gb_month: float = 0.023
    write_million: float = 0.625
    read_million: float = 0.125
    write_unit_hour: float = 0.00065
    read_unit_hour: float = 0.00013
    dpu_hour: float = LIST_PRICE_USD
    log_gb: float = 0.50
    alarm_month: float = 0.10
    fargate_core_hour: float = 0.03238
    fargate_gb_hour: float = 0.00356
    database_hour: float = 0.016
    database_gb_month: float = 0.115
    endpoint_hour: float = 0.01
    balancer_hour: float = 0.0225
    zone_month: float = 0.50
    secret_month: float = 0.40


def read_prices(path: Path) -> Prices:
    """Read prices from a file, JSON or TOML by its name; what it does not name keeps its list price.

    Raises:
        SettingsError: it can't be read, names something else, or a price is no number of at least 0.
    """
    shown = printable(str(path))
    names = [one.name for one in fields(Prices)]
    try:
        content = path.read_bytes()[: _MOST_BYTES + 1]
        if len(content) > _MOST_BYTES:
            raise SettingsError(f"the prices in {shown} are larger than {_MOST_BYTES // 1024} KB")
        document: Any = (
            tomllib.loads(content.decode()) if path.suffix == ".toml" else json.loads(content.decode())
        )
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsError(
            f"the prices in {shown} can't be read: {printable(str(reason), 200)}; expected JSON, or TOML "
            'in a file that ends in .toml, such as {"dpu_hour": 0.29}'
        ) from error
    if not isinstance(document, dict):
        raise SettingsError(f"the prices in {shown} must be an object of names with prices")
    problems = []
    for name, value in document.items():
        if name not in names:
            problems.append(f"{printable(name, 60)} is no price")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            problems.append(f"{name} must be a number of at least 0, got {printable(repr(value), 60)}")
    if problems:
        raise SettingsError(
            f"the prices in {shown} need mending: {'; '.join(problems[:10])}. Prices are {', '.join(names)}"
        )
    return replace(Prices(), **{name: float(value) for name, value in document.items()})
