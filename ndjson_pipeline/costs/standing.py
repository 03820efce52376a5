"""What stands there though no file comes: Dagster's service, and a feed's alarms; pure.

The quantities are those that Terraform makes (`deploy/terraform/modules/dagster`); docs/cost.md lists them,
and tests hold the page to the plan, and this to the page.
"""

from dataclasses import dataclass

from ndjson_pipeline.costs.bill import Line
from ndjson_pipeline.costs.prices import HOURS_A_MONTH, Prices

# Nine alarms look at one metric each; the two of throttling at the tracking table and its five indexes.
ALARM_METRICS_OF_A_FEED = 9 + 2 * 6
_DATABASE_GB = 20
# The two tables and five indexes, each with the least that Terraform's default gives it.
_TABLES_AND_INDEXES = 7
_LEAST_WRITE_UNITS = 25
_LEAST_READ_UNITS = 5


@dataclass(frozen=True)
class Platform:
    """What Dagster's service is made of.

    Attributes:
        cores: of its tasks.
        gigabytes: of its tasks' memory.
        databases: the database, and its standby.
        endpoints: interface endpoints times their zones.
        balancers: load balancers.
        zones: private zones of names.
        alarms: of the service.
    """

    cores: float
    gigabytes: float
    databases: int
    endpoints: int
    balancers: int
    zones: int
    alarms: int


# One task, endpoints in one zone; and a task each, endpoints in two zones, a standby, a load balancer.
PLATFORMS = {
    "dev": Platform(cores=1.0, gigabytes=3.0, databases=1, endpoints=9, balancers=0, zones=0, alarms=2),
    "prod": Platform(cores=1.5, gigabytes=4.0, databases=2, endpoints=16, balancers=1, zones=1, alarms=4),
}


def standing_bill(platform: Platform, prices: Prices | None = None) -> list[Line]:
    """Return what a platform with one feed costs a day, whatever comes."""
    prices = prices or Prices()
    months = {
        "Dagster: tasks of Fargate": HOURS_A_MONTH
        * (platform.cores * prices.fargate_core_hour + platform.gigabytes * prices.fargate_gb_hour),
        "Dagster: database": platform.databases
        * (HOURS_A_MONTH * prices.database_hour + _DATABASE_GB * prices.database_gb_month),
        "Dagster: endpoints, load balancer": HOURS_A_MONTH
        * (platform.endpoints * prices.endpoint_hour + platform.balancers * prices.balancer_hour)
        + platform.zones * prices.zone_month
        + prices.secret_month,
        "alarms": (platform.alarms + ALARM_METRICS_OF_A_FEED) * prices.alarm_month,
    }
    return [Line(what, usd * 24.0 / HOURS_A_MONTH) for what, usd in months.items()]


def provisioned_tables(prices: Prices) -> float:
    """Return what the tables cost a day at their smallest, provisioned as Terraform's default is, in USD."""
    return (
        24.0
        * _TABLES_AND_INDEXES
        * (_LEAST_WRITE_UNITS * prices.write_unit_hour + _LEAST_READ_UNITS * prices.read_unit_hour)
    )
