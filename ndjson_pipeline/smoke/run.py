"""Puts the files in, and waits for what becomes of them."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from lambda_ingest.contract.items import error_code
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.smoke.observation import Observation, Observer
from ndjson_pipeline.smoke.plan import IngestRules, SmokePlan, plan_smoke
from ndjson_pipeline.smoke.verdict import is_settled, problems_of

_CONCURRENT_UPLOADS = 8

Tell = Callable[[Observation], None]


@dataclass(frozen=True)
class SmokeResult:
    """How it went.

    Attributes:
        plan: what was put in; it is still there.
        observation: what became of it.
        problems: what is wrong; empty where nothing is.
        seconds: from the first upload to the end.
    """

    plan: SmokePlan
    observation: Observation
    problems: tuple[str, ...]
    seconds: float


def ingest_rules(deployment: Deployment) -> IngestRules:
    """Return the rules of the deployment's manifest builder, by asking Lambda.

    Raises:
        PipelineError: there is none, or these credentials may not see it.
        SmokePlanError: its variables make no sense.
    """
    function = deployment.names.manifest_builder_function
    try:
        configuration = deployment.functions.get_function_configuration(FunctionName=function)
    except ClientError as error:
        raise PipelineError(
            f"{function} can't be looked at ({error_code(error)}): is this the right environment, feed, "
            "region and account, and may these credentials lambda:GetFunctionConfiguration?"
        ) from error
    return IngestRules.from_variables(configuration.get("Environment", {}).get("Variables", {}))


def run_smoke(
    deployment: Deployment,
    *,
    files: int | None,
    timeout_seconds: float,
    now: datetime,
    tell: Tell,
    poll_seconds: float = 2.0,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> SmokeResult:
    """Send one batch of today through, and judge it.

    Args:
        deployment: which.
        files: how many; None fills one batch.
        timeout_seconds: how long to wait.
        now: its date is the files'.
        tell: called with each look.
        poll_seconds: between two looks.
        sleep: waits.
        monotonic: tells seconds that have passed.

    Raises:
        SmokePlanError: the deployment would not batch such files today; nothing was put in.
        PipelineError: the deployment can't be looked at.
        ClientError, BotoCoreError: AWS does not answer.
    """
    rules = ingest_rules(deployment)
    # Names are told apart by chance alone.
    plan = plan_smoke(rules, files=files, now=now, draw=random.SystemRandom())
    began = monotonic()
    _upload(deployment, plan, rules.shared.input_prefix)
    observer = Observer(deployment)
    names = [file.name for file in plan.files]
    while True:
        observation = observer.look(plan.date_prefix, names)
        tell(observation)
        if is_settled(observation) or monotonic() - began > timeout_seconds:
            break
        sleep(poll_seconds)
    observation = observer.look_at_output(observation)
    return SmokeResult(plan, observation, tuple(problems_of(plan, observation)), monotonic() - began)


def _upload(deployment: Deployment, plan: SmokePlan, prefix: str) -> None:
    def put(number: int) -> None:
        file = plan.files[number]
        deployment.s3.put_object(
            Bucket=deployment.names.input_bucket, Key=f"{prefix}{file.name}", Body=file.content
        )

    with ThreadPoolExecutor(max_workers=_CONCURRENT_UPLOADS) as pool:
        # The list brings the first failure up.
        list(pool.map(put, range(len(plan.files))))
