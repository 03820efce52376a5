"""Writes docs/commands.md from the commands themselves: `python -m ndjson_pipeline.cli.reference`."""

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from typer.main import get_command

from ndjson_pipeline.cli.app import PROGRAM, app
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.options import COMMON_PANEL

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
_OF_TYPER = frozenset({"help", "install_completion", "show_completion"})
_VALUES: dict[Any, str] = {int: "NUMBER", float: "NUMBER", Path: "FOLDER"}
_INTRODUCTION = f"""# Commands

This page is written by `python -m ndjson_pipeline.cli.reference`; a test holds it against the commands.

```
{PROGRAM} status --env prod                # how is it?
{PROGRAM} file 2026-01-30-a.ndjson         # what became of this file?
{PROGRAM} doctor                           # what is wrong, and what to do?
```

Tables fit 100 columns. With `--json` a command prints one JSON object on stdout, and nothing else. An error
is one, too: `{{"error": {{"message": "...", "exit_code": 1}}}}`. Progress goes to stderr: on a terminal a
line that renews itself, elsewhere plain lines. `{PROGRAM} --install-completion` lets the shell
complete commands and options.

A command that changes something shows what it would do and asks. `--yes` does not ask, `--dry-run` only
shows. Without a terminal, and with `--json`, one of the two is needed.
"""


def page() -> str:
    """Return the page's text."""
    root: Any = get_command(app)
    commands = list(_commands(root, PROGRAM))
    parts = [
        _INTRODUCTION,
        _exit_codes(),
        "## Options of every command\n\nThey stand before the command's name or after it.\n\n"
        + _options(root.params, are_common=True),
        "## All commands\n\n" + _table(["command", "what it does"], _contents(commands)),
        *(_section(path, command) for path, command in commands),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield each command with its full name, in the order of the help."""
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _contents(commands: list[tuple[str, Any]]) -> Iterator[list[str]]:
    for path, command in commands:
        name = path.removeprefix(f"{PROGRAM} ")
        yield [f"[`{name}`](#{_anchor(path)})", _first_line(command)]


def _section(path: str, command: Any) -> str:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    usage = " ".join([path, *map(_argument, arguments), "[OPTIONS]"])
    text = f"## {path}\n\n{command.help.strip()}\n\n```\n{usage}\n```"
    if arguments:
        rows = [[f"`{parameter.name.upper()}`", _cell(parameter.help)] for parameter in arguments]
        text += "\n\n" + _table(["argument", "what"], rows)
    own = _options(command.params, are_common=False)
    return f"{text}\n\n{own}" if own else text


def _options(params: list[Any], *, are_common: bool) -> str:
    rows = [
        [_option(parameter), _default(parameter), _cell(parameter.help)]
        for parameter in params
        if parameter.param_type_name == "option"
        and parameter.name not in _OF_TYPER
        and (parameter.rich_help_panel == COMMON_PANEL) is are_common
    ]
    return _table(["option", "default", "what"], rows) if rows else ""


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in parameter.opts)
    return names if parameter.is_flag else f"{names} {_value(parameter)}"


def _value(parameter: Any) -> str:
    """Return what an option is given."""
    if parameter.metavar:
        return str(parameter.metavar)
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(f"`{member.value}`" for member in kind)
    return _VALUES.get(kind, "TEXT")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    return "" if parameter.is_flag or parameter.default in (None, "") else f"`{parameter.default}`"


def _argument(parameter: Any) -> str:
    name = parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _exit_codes() -> str:
    rows = [[f"{code.value}", code.meaning] for code in ExitCode]
    return "## Exit codes\n\n" + _table(["code", "what it says"], rows)


def _table(headings: list[str], rows: Any) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _first_line(command: Any) -> str:
    return _cell(str(command.help).strip().splitlines()[0])


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _anchor(path: str) -> str:
    return path.replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
