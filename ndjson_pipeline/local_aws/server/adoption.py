"""What others have made in the local AWS, Terraform say, and what of it runs: functions, and what calls them.

It is read back from the API, so that a function runs with the handler, the time and the variables that its
maker gave it.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ndjson_pipeline.local_aws.errors import LocalAwsError
from ndjson_pipeline.local_aws.functions.function import LambdaFunction
from ndjson_pipeline.local_aws.functions.queue_pump import QueuePump
from ndjson_pipeline.local_aws.functions.runtime import LambdaRuntime
from ndjson_pipeline.local_aws.functions.timer_pump import TimerPump

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
# A mapping says none where it may call as often as it likes; the local machine has its bounds.
_CONCURRENCY = 2

Client = Callable[[str], Any]


def functions_of(client: Client) -> list[LambdaFunction]:
    """Return the functions that are there.

    Args:
        client: makes a boto3 client of a service.
    """
    pages = client("lambda").get_paginator("list_functions").paginate()
    return [
        LambdaFunction(
            name=function["FunctionName"],
            handler=function["Handler"],
            arn=function["FunctionArn"],
            timeout_seconds=float(function["Timeout"]),
            memory_mb=function["MemorySize"],
            variables=function.get("Environment", {}).get("Variables", {}),
        )
        for page in pages
        for function in page["Functions"]
    ]


def queue_pumps_of(client: Client, runtime: LambdaRuntime, region: str) -> Iterator[QueuePump]:
    """Yield a pump for each event source mapping of a queue.

    Args:
        client: makes a boto3 client of a service.
        runtime: runs the functions.
        region: which events carry.
    """
    sqs = client("sqs")
    for page in client("lambda").get_paginator("list_event_source_mappings").paginate():
        for mapping in page["EventSourceMappings"]:
            queue = mapping["EventSourceArn"].rpartition(":")[2]
            yield QueuePump(
                client=sqs,
                queue_url=sqs.get_queue_url(QueueName=queue)["QueueUrl"],
                queue_arn=mapping["EventSourceArn"],
                region=region,
                runtime=runtime,
                function_name=mapping["FunctionArn"].rpartition(":function:")[2],
                batch_size=mapping["BatchSize"],
                batching_window_seconds=float(mapping.get("MaximumBatchingWindowInSeconds") or 0),
                concurrency=_CONCURRENCY,
            )


def timer_pumps_of(client: Client, runtime: LambdaRuntime, account: str, region: str) -> Iterator[TimerPump]:
    """Yield a pump for each schedule of a function.

    Args:
        client: makes a boto3 client of a service.
        runtime: runs the functions.
        account: which events carry.
        region: likewise.

    Raises:
        LocalAwsError: a schedule has no rate.
    """
    scheduler = client("scheduler")
    for page in scheduler.get_paginator("list_schedules").paginate():
        for summary in page["Schedules"]:
            schedule = scheduler.get_schedule(Name=summary["Name"], GroupName=summary["GroupName"])
            expression = schedule["ScheduleExpression"]
            rate = _RATE.fullmatch(expression)
            if rate is None:
                raise LocalAwsError(
                    f"schedule {summary['Name']} is {expression!r}; only rate(...) is known here"
                )
            yield TimerPump(
                runtime,
                schedule["Target"]["Arn"].rpartition(":function:")[2],
                account,
                region,
                float(rate[1]) * _SECONDS[rate[2]],
                json.loads(schedule["Target"].get("Input") or "null"),
            )
