"""Where in an envelope its records are, as `Records[*]` says it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from glue_jobs.errors import RecordPathError

_MAX_STEPS: Final = 16
_STEP: Final = re.compile(
    r'(?P<each>\[\*\])|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]|(?P<dot>\.?)(?P<name>[^.\[\]"\s]+)'
)
_EXPECTED: Final = (
    "expected names and [*] for each item of an array, as in Records[*], "
    'resourceLogs[*].scopeLogs[*].logRecords[*] or ["a.b"][*]'
)


# As JSONPath writes the value itself: `$.Records[*]` is `Records[*]`. Members of these names stand in quotes.
_VALUE, _ANY = "$", "*"


class Each(Enum):
    """The step to each item of an array; an enumeration, since a task's copy of it must be the same one."""

    EACH = "[*]"


EACH: Final = Each.EACH


@dataclass(frozen=True)
class RecordPath:
    """The way from an envelope to its records.

    Attributes:
        text: as it was written; empty where the values themselves are the records.
        steps: names of members, and `EACH` for all items of an array.
    """

    text: str = ""
    steps: tuple[str | Each, ...] = ()

    @property
    def arrays(self) -> int:
        """How many arrays are walked."""
        return self.steps.count(EACH)

    def upto(self, steps: int) -> str:
        """Return the beginning of the path, for messages."""
        text = ""
        for step in self.steps[:steps]:
            if isinstance(step, Each):
                text += "[*]"
            elif _is_bare(step):
                text += f".{step}" if text else step
            else:
                text += f"[{json.dumps(step, ensure_ascii=False)}]"
        return text


def parse_record_path(text: str) -> RecordPath:
    """Read a path; an empty one, or `$`, is none. A `$` before its first step may be there.

    Raises:
        RecordPathError: it is no path; the message says where, and what was expected.
    """
    text = text.strip()
    if text == _VALUE:
        return RecordPath()
    steps: list[str | Each] = []
    position = 0
    if text.startswith((f"{_VALUE}.", f"{_VALUE}[")):
        position = len("$.") if text[1] == "." else len("$")
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise RecordPathError(f"RECORD_PATH {text!r} is no path at character {position + 1}: {_EXPECTED}")
        if match["each"]:
            steps.append(EACH)
        elif match["quoted"]:
            try:
                steps.append(str(json.loads(match["quoted"])))
            except json.JSONDecodeError as error:
                raise RecordPathError(
                    f"RECORD_PATH {text!r}: the name at character {position + 1} is no JSON text: {_EXPECTED}"
                ) from error
        elif bool(match["dot"]) != bool(steps):
            raise RecordPathError(
                f"RECORD_PATH {text!r}: a name follows another step after a dot, and only then "
                f"(character {position + 1}): {_EXPECTED}"
            )
        elif match["name"] == _ANY:
            raise RecordPathError(
                f"RECORD_PATH {text!r} has * at character {position + 1}, which stands for no name: "
                f'{_EXPECTED}; a member of that name is ["*"]'
            )
        else:
            steps.append(match["name"])
        position = match.end()
    if len(steps) > _MAX_STEPS:
        raise RecordPathError(f"RECORD_PATH has {len(steps)} steps, expected at most {_MAX_STEPS}")
    return RecordPath(text, tuple(steps))


def _is_bare(name: str) -> bool:
    match = _STEP.fullmatch(name)
    return match is not None and match["name"] == name and name not in {_VALUE, _ANY}
