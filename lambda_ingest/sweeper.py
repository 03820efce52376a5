"""The Lambda behind the timer: whatever no event will finish any more.

Every part is bounded by what is open, never by history.
"""

import os
import time
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambda_ingest.clock import Clock
from lambda_ingest.contract.dates import parse_date, utc_date
from lambda_ingest.invocation import Invocation
from lambda_ingest.log import logger
from lambda_ingest.report import ExecutionInfo
from lambda_ingest.runtime import Runtime, current_runtime


@logger.inject_lambda_context(clear_state=True)
def handler(_: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Sweep once.

    Returns:
        `{"flushed": {date: files}, "finished": [manifest URIs], "open_dates": [dates with pending files]}`.

    Raises:
        SettingsError: the environment variables are missing or wrong.
    """
    return sweep(context, current_runtime(os.environ))


def sweep(context: LambdaContext, runtime: Runtime) -> dict[str, Any]:
    """Do what `handler` does, with the parts passed in."""
    started = time.perf_counter()
    invocation = Invocation(runtime, lambda: context.get_remaining_time_in_millis() / 1000)
    answer = _flush_open_dates(invocation, runtime.clock)
    invocation.record(
        lambda: ExecutionInfo(
            request_id=context.aws_request_id,
            function_name=context.function_name,
            memory_limit_mb=int(context.memory_limit_in_mb),
            execution_time_ms=round((time.perf_counter() - started) * 1000),
        )
    )
    return answer


def _flush_open_dates(invocation: Invocation, clock: Clock) -> dict[str, Any]:
    """Cut what is due of every date with pending files, and finish what a dead builder left."""
    flushed: dict[str, int] = {}
    finished: list[str] = []
    open_dates = invocation.runtime.pending.open_dates()
    today = utc_date(clock())
    for date_prefix in open_dates:
        build = invocation.build_date(date_prefix, invocation.runtime.builder.finish)
        if build is None:
            continue
        if build.finished is not None:
            finished.append(build.finished)
        count = sum(manifest.file_count for manifest in build.manifests)
        if count:
            flushed[date_prefix] = count
            logger.info(
                "Flushed a date",
                date_prefix=date_prefix,
                file_count=count,
                is_past=parse_date(date_prefix) < today,
                manifests=[manifest.manifest_path for manifest in build.manifests],
            )
    return {"flushed": flushed, "finished": finished, "open_dates": list(open_dates)}
