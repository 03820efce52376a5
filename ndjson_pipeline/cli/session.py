"""What a command works with: common options, the deployment, the output, and a person's consent."""

import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.failures import DeclinedError, UsageError, failure_of
from ndjson_pipeline.cli.output import Block, ConsoleOutput, JsonOutput, Line, Output
from ndjson_pipeline.deployment.settings import ENVIRONMENT_VARIABLE, FEED_VARIABLE
from ndjson_pipeline.desk.calls import LastCalls
from ndjson_pipeline.desk.clients import Desk


@dataclass(frozen=True)
class CommonOptions:
    """Options that stand before or after a command; None is what the environment says.

    Attributes:
        env: `dev` or `prod`.
        feed: the feed's name; empty for the stream without one.
        endpoint_url: where AWS answers.
        region: the deployment's.
        debug: whether errors show their stack.
        json: whether output is JSON.
    """

    env: str | None = None
    feed: str | None = None
    endpoint_url: str | None = None
    region: str | None = None
    debug: bool = False
    json: bool = False

    def over(self, earlier: "CommonOptions") -> "CommonOptions":
        """Return these, and where one is not given, that of the other."""
        return CommonOptions(
            env=earlier.env if self.env is None else self.env,
            feed=earlier.feed if self.feed is None else self.feed,
            endpoint_url=earlier.endpoint_url if self.endpoint_url is None else self.endpoint_url,
            region=earlier.region if self.region is None else self.region,
            debug=self.debug or earlier.debug,
            json=self.json or earlier.json,
        )

    def variables(self) -> dict[str, str]:
        """Return the environment variables that these options stand for."""
        chosen = {
            ENVIRONMENT_VARIABLE: self.env,
            FEED_VARIABLE: self.feed,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }
        return {name: value for name, value in chosen.items() if value is not None}


@dataclass(frozen=True)
class Consent:
    """How a change is agreed to.

    Attributes:
        yes: without a question.
        dry_run: not at all; what would be done is shown.
    """

    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Change:
    """What a command would do.

    Attributes:
        question: a sentence that ends in a question mark, such as `Try 3 manifests again?`.
        document: the same for a program.
        blocks: what is changed, in detail.
    """

    question: str
    document: Mapping[str, Any]
    blocks: Sequence[Block] = field(default_factory=tuple)


@dataclass
class Session:
    """One command's.

    Attributes:
        options: as they were given, before or after the command.
        environment: of the process.
        calls: notes what AWS was asked.
        consent: of commands that change something; None of those that only read.
    """

    options: CommonOptions
    environment: Mapping[str, str]
    calls: LastCalls = field(default_factory=LastCalls)
    consent: Consent | None = None

    @cached_property
    def output(self) -> Output:
        """Where the result goes."""
        return JsonOutput() if self.options.json else ConsoleOutput()

    @cached_property
    def variables(self) -> Mapping[str, str]:
        """The environment, with what options say in its place."""
        return {**self.environment, **self.options.variables()}

    @cached_property
    def desk(self) -> Desk:
        """The deployment.

        Raises:
            SettingsError: a setting makes no sense.
        """
        return Desk(self.variables, self.calls)

    def fail(self, error: Exception) -> ExitCode:
        """Show an error, and return the exit code that it means."""
        if self.options.debug:
            traceback.print_exception(error)
        failure = failure_of(error, self.calls)
        self.output.fail(failure.message, failure.exit_code)
        return failure.exit_code

    def demand_consent(self) -> None:
        """Refuse a change that nobody could agree to, before anything is read.

        Raises:
            UsageError: there is no terminal to ask at, and no --yes.
        """
        if self.consent and not (self.consent.yes or self.consent.dry_run or self._can_ask):
            raise UsageError(
                "this changes something, and there is nobody to ask: pass --yes to do it, or --dry-run to "
                "see what it would do"
            )

    def agree(self, change: Change) -> bool:
        """Show a change and ask for it; False where it is only shown.

        Raises:
            DeclinedError: the answer was no.
        """
        consent = self.consent or Consent()
        if consent.dry_run:
            said = Line(f"It would ask: {change.question} Nothing was changed.")
            self.output.show({"dry_run": True, "would": change.document}, [*change.blocks, said])
            return False
        if consent.yes:
            return True
        self.output.show(change.document, change.blocks)
        sys.stderr.write(f"{change.question} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise DeclinedError("nothing was changed, for the answer was not y")
        return True

    @property
    def _can_ask(self) -> bool:
        return not self.options.json and sys.stdin.isatty() and sys.stderr.isatty()
