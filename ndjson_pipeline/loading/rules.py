"""The rules that a deployment's manifest builder judges by."""

from dataclasses import dataclass

from lambda_ingest.contract.settings import InputSettings, SettingsReader
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.errors import PipelineError


class RulesError(PipelineError):
    """The manifest builder's variables make no sense."""


@dataclass(frozen=True)
class LoadRules:
    """What decides about a file.

    Attributes:
        input: where input lies, how it is named, dated and sized.
        max_files: a manifest lists so many at most.
        max_batch_age_seconds: what no file fills is cut after this; 0 never, until the day is over.
    """

    input: InputSettings
    max_files: int
    max_batch_age_seconds: float


def rules_of(desk: Desk) -> LoadRules:
    """Return a deployment's rules, by asking Lambda.

    Raises:
        RulesError: a variable makes no sense.
        ClientError: there is no such function, or it may not be looked at.
    """
    reader = SettingsReader(desk.builder_variables())
    rules = LoadRules(
        input=InputSettings.read(reader),
        max_files=reader.whole("MAX_FILES_PER_MANIFEST", 10, lowest=1),
        max_batch_age_seconds=reader.number("MAX_BATCH_AGE_SECONDS", 0.0),
    )
    if reader.problems:
        raise RulesError(
            f"the variables of {desk.names.manifest_builder_function} need mending: "
            + "; ".join(reader.problems)
        )
    return rules
