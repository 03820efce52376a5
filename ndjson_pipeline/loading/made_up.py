"""Whether a dataset is of made-up files: a dataset never loses a column, so the two are kept apart."""

import json
import random
import time
from datetime import date

from glue_jobs.errors import SchemaContractError
from glue_jobs.schema.contract import SchemaContractStore
from lambda_ingest.contract.sample_input import generate_lines
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.errors import PipelineError

_DAY = date(2026, 1, 30)
# Enough for the fields that few records have.
_SAMPLE_BYTES = 50_000
# The conversion's own.
_OWN = frozenset({"_processing_timestamp", "_source_file", "_rescued"})
_MOST_NAMED = 5


class MixedColumnsError(PipelineError):
    """Made-up records would leave their columns in a dataset of others."""


def made_up_columns() -> frozenset[str]:
    """Return the columns of generated records; pure."""
    lines = generate_lines(_DAY, _SAMPLE_BYTES, random.Random(1))
    return frozenset(name for line in lines for name in json.loads(line))


def columns_of(desk: Desk) -> frozenset[str]:
    """Return the columns that a dataset has so far, without the conversion's own.

    Raises:
        SchemaContractError: its schema can't be read.
        ClientError: its Glue job may not be looked at.
    """
    store = SchemaContractStore(
        desk.s3, desk.names.manifest_bucket, desk.names.output_bucket, desk.output_prefix, time.sleep
    )
    return frozenset(store.read().types) - _OWN


def check_made_up(desk: Desk, what: str) -> None:
    """Do nothing where a dataset is empty, or of made-up records alone.

    Args:
        desk: the deployment.
        what: makes them up, for the error.

    Raises:
        MixedColumnsError: it has columns of others.
        PipelineError: its schema can't be read.
        ClientError: its Glue job may not be looked at.
    """
    try:
        others = sorted(columns_of(desk) - made_up_columns())
    except SchemaContractError as error:
        raise PipelineError(f"{error}; --mix goes on without looking") from error
    if others:
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        raise MixedColumnsError(
            f"the dataset has columns of its own ({', '.join(others[:_MOST_NAMED])}{more}), and those of "
            f"{what} would stay beside them for ever: use a feed of its own (--feed), or pass --mix"
        )


def is_made_up(columns: frozenset[str]) -> bool:
    """Tell whether a dataset has the columns of generated records; pure."""
    return bool(columns) and made_up_columns() - {"amount", "referrer"} <= columns
