"""The code location of the present environment, built once by all ticks of sensors."""

import os
from functools import cache

import dagster as dg

from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.deployment.settings import FEED_VARIABLE, PipelineSettings


def shared_defs(feed: str | None = None) -> dg.Definitions:
    """Return the code location of a feed; None is the one that the environment names.

    A daemon, too, has one for all of its ticks, and nothing that a tick does stays in it.
    """
    named = {} if feed is None else {FEED_VARIABLE: feed}
    return _defs_of(PipelineSettings.from_environment({**os.environ, **named}))


@cache
def _defs_of(settings: PipelineSettings) -> dg.Definitions:
    return build_defs(feed=settings.feed)
