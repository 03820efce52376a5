"""The command `smoke`."""

import os
import sys
from collections import Counter
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.text import printable
from ndjson_pipeline.deployment.clients import Deployment, current_deployment
from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.deployment.settings import ENVIRONMENT_VARIABLE
from ndjson_pipeline.errors import PipelineError, SettingsError
from ndjson_pipeline.smoke.observation import Observation
from ndjson_pipeline.smoke.plan import SmokePlanError
from ndjson_pipeline.smoke.run import SmokeResult, run_smoke

DONE, FAILED, USAGE, PIPELINE_IS_WRONG = 0, 1, 2, 3


def run(
    *,
    environment: str | None,
    feed: str | None,
    endpoint_url: str | None,
    region: str | None,
    files: int | None,
    timeout: float,
) -> int:
    """Run a smoke test of a deployment, show how it went, and return the exit status.

    Raises:
        PipelineError: it could not be done.
    """
    console = Console()
    try:
        deployment = _deployment(environment, feed, endpoint_url, region)
        with console.status("looking at the deployment") as status:

            def tell(observation: Observation) -> None:
                counts = Counter(file.status or "unknown" for file in observation.files)
                stages = Counter(record.status.value for record in observation.manifests)
                status.update(f"files: {_counted(counts)}; manifests: {_counted(stages)}")

            result = run_smoke(deployment, files=files, timeout_seconds=timeout, now=utc_now(), tell=tell)
    except (SmokePlanError, SettingsError) as error:
        sys.stderr.write(f"ndjson-pipeline: {error}\n")
        return USAGE
    except (BotoCoreError, ClientError) as error:
        raise PipelineError(f"AWS did not do what was asked: {error}") from error
    console.print(_table(result))
    for problem in result.problems:
        console.print(f"wrong: {printable(problem)}", highlight=False, soft_wrap=True, markup=False)
    console.print(
        f"Left there: {len(result.plan.files)} files in {deployment.names.input_bucket}, and their rows in "
        f"the output of {result.plan.date_prefix}.",
        highlight=False,
        soft_wrap=True,
    )
    return PIPELINE_IS_WRONG if result.problems else DONE


def _deployment(
    environment: str | None, feed: str | None, endpoint_url: str | None, region: str | None
) -> Deployment:
    """Return the deployment that options and environment name; sets what boto3 reads of this process."""
    chosen = {
        ENVIRONMENT_VARIABLE: environment,
        "NDJSON_FEED": feed,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
    }
    os.environ.update({name: value for name, value in chosen.items() if value is not None})
    deployment = current_deployment()
    names = deployment.names
    return replace(
        deployment, names=Names(names.environment, names.account, os.environ.get("NDJSON_FEED", ""))
    )


def _table(result: SmokeResult) -> Table:
    seen, plan = result.observation, result.plan
    rows = sum(record.records_processed or 0 for record in seen.manifests)
    others = sum(record.file_count for record in seen.manifests) - len(plan.files)
    table = Table(title=f"smoke test of {plan.date_prefix}", show_header=False)
    facts = {
        "files": _counted(Counter(file.status or "unknown" for file in seen.files)),
        "manifests": _counted(Counter(record.status.value for record in seen.manifests)),
        "others' files in them": str(max(others, 0)),
        "runs": ", ".join(sorted(seen.runs)) or "none",
        "Glue runs": ", ".join(f"{run.state} in {run.seconds} s" for run in seen.glue_runs) or "none",
        "records in": f"{plan.records:,}",
        "rows out": f"{rows:,}",
        "Parquet": f"{seen.parquet_files} files, {seen.parquet_bytes:,} bytes",
        "seconds": f"{result.seconds:.0f}",
        "result": "something is wrong" if result.problems else "all is well",
    }
    for name, value in facts.items():
        table.add_row(name, value)
    return table


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
