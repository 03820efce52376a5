"""What the command line exits with."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The four exit codes; docs/commands.md shows them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PIPELINE_IS_WRONG = 3

    @property
    def meaning(self) -> str:
        """What it says, in a sentence."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.DONE: "Done; or asked, and nothing is wrong.",
    ExitCode.FAILED: "It could not be done, or was declined. One line says what to do.",
    ExitCode.USAGE: "It was called wrongly: an unknown option, a value that makes no sense, no --yes.",
    ExitCode.PIPELINE_IS_WRONG: "It was done, and shows that something is wrong with the pipeline.",
}
