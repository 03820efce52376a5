"""Functions, mappings and schedules that others made, as Terraform does, as the services tell of them."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from ndjson_pipeline.local_aws.errors import LocalAwsError
from ndjson_pipeline.local_aws.functions.function import LambdaFunction
from ndjson_pipeline.local_aws.functions.queue_pump import QueuePump
from ndjson_pipeline.local_aws.functions.runtime import LambdaRuntime
from ndjson_pipeline.local_aws.functions.timer_pump import TimerPump

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# What a mapping without a bound may start at once; the service's own is a thousand.
_CONCURRENCY = 2
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}


@dataclass(frozen=True)
class Deployed:
    """What was found.

    Attributes:
        functions: the functions, with the variables that they were given.
        mappings: event source mappings of queues, as Lambda describes them.
        schedules: schedules that invoke functions, as EventBridge Scheduler describes them.
        region: where they are.
    """

    functions: Sequence[LambdaFunction]
    mappings: Sequence[Mapping[str, Any]]
    schedules: Sequence[Mapping[str, Any]]
    region: str

    @classmethod
    def found_by(cls, client: Callable[[str], Any], region: str) -> Self:
        """Ask Lambda and EventBridge Scheduler for all that there is.

        Args:
            client: makes a client of a service by its name.
            region: where they are.
        """
        lambda_client, scheduler = client("lambda"), client("scheduler")
        functions = [
            LambdaFunction(
                name=found["FunctionName"],
                handler=found["Handler"],
                arn=found["FunctionArn"],
                timeout_seconds=found["Timeout"],
                memory_mb=found["MemorySize"],
                variables=found.get("Environment", {}).get("Variables", {}),
            )
            for page in lambda_client.get_paginator("list_functions").paginate()
            for found in page["Functions"]
        ]
        mappings = [
            found
            for page in lambda_client.get_paginator("list_event_source_mappings").paginate()
            for found in page["EventSourceMappings"]
        ]
        schedules = [
            scheduler.get_schedule(Name=found["Name"], GroupName=found["GroupName"])
            for page in scheduler.get_paginator("list_schedules").paginate()
            for found in page["Schedules"]
        ]
        return cls(functions, mappings, schedules, region)

    def pumps(self, runtime: LambdaRuntime, sqs: "SQSClient", account: str) -> list[QueuePump | TimerPump]:
        """Return what calls the functions: a pump for each mapping and for each schedule.

        Args:
            runtime: knows the functions.
            sqs: polls the queues.
            account: the AWS account, which events carry.

        Raises:
            LocalAwsError: a schedule has another shape than this knows.
        """
        return [
            *(self._queue_pump(mapping, runtime, sqs) for mapping in self.mappings),
            *(self._timer_pump(schedule, runtime, account) for schedule in self.schedules),
        ]

    def _queue_pump(self, mapping: Mapping[str, Any], runtime: LambdaRuntime, sqs: "SQSClient") -> QueuePump:
        arn = str(mapping["EventSourceArn"])
        concurrency = mapping.get("ScalingConfig", {}).get("MaximumConcurrency", _CONCURRENCY)
        return QueuePump(
            client=sqs,
            queue_url=sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"],
            queue_arn=arn,
            region=self.region,
            runtime=runtime,
            function_name=_function_of(mapping["FunctionArn"]),
            batch_size=mapping["BatchSize"],
            batching_window_seconds=mapping.get("MaximumBatchingWindowInSeconds") or 0,
            # Each is a thread that polls, so a laptop has fewer than the service.
            concurrency=min(concurrency, _CONCURRENCY),
        )

    def _timer_pump(self, schedule: Mapping[str, Any], runtime: LambdaRuntime, account: str) -> TimerPump:
        rate = _RATE.fullmatch(schedule["ScheduleExpression"])
        if rate is None:
            raise LocalAwsError(
                f"schedule {schedule['Name']} is {schedule['ScheduleExpression']!r}; the local AWS knows "
                "rates alone, such as rate(5 minutes)"
            )
        target = schedule["Target"]
        return TimerPump(
            runtime,
            _function_of(target["Arn"]),
            account,
            self.region,
            int(rate[1]) * _SECONDS[rate[2]],
            payload=json.loads(target["Input"]) if "Input" in target else None,
        )


def _function_of(arn: str) -> str:
    """Return the function's name in its ARN, without a version."""
    return arn.split(":")[6]
