"""Errors of loading."""

from ndjson_pipeline.errors import PipelineError


class LoadError(PipelineError):
    """Files could not be loaded."""


class NothingToLoadError(LoadError):
    """What was named holds no file."""


class WouldBeRefusedError(LoadError):
    """The deployment would quarantine files, and nobody said that it may."""


class LoadHeldError(LoadError):
    """Somebody else goes on with the same load."""


class LoadStoppedError(LoadError):
    """A load was stopped before its end; it goes on from there."""


class PipelineHurtError(LoadStoppedError):
    """A load was stopped because the pipeline does not take the files well."""
