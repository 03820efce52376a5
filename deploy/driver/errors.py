"""Errors of the driver."""


class DeployError(Exception):
    """A step could not be done; the text says which, why, and what to do."""


class DownloadError(DeployError):
    """A wheel that a lock names could not be had."""


class CommandError(DeployError):
    """A program ended with an error, or is not there."""


class RefusedError(DeployError):
    """A person, or a rule that guards data, said no."""
