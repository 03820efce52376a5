"""Reads a Dockerfile, and does what its steps say below a folder, without a container engine."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
# Absolute paths that a step may name; all of them are meant below the stage's root.
_ROOTED = re.compile(r"(?<![\w./-])(/(?:opt|build|usr/local|tmp)(?=[/\s\"':;]|$))")


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        name: such as `RUN`.
        text: what follows, its lines joined.
    """

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """Its words; of the JSON form, its strings."""
        if self.text.startswith("["):
            words: list[str] = json.loads(self.text)
            return words
        return shlex.split(self.text)

    @property
    def options(self) -> dict[str, str]:
        """Its `--name=value` words."""
        found = [word.removeprefix("--").partition("=") for word in self.words if word.startswith("--")]
        return {name: value for name, _, value in found}

    @property
    def arguments(self) -> list[str]:
        """Its other words."""
        return [word for word in self.words if not word.startswith("--")]


@dataclass
class Stage:
    """What follows a `FROM`.

    Attributes:
        base: the image, its variables replaced.
        name: what `--from` calls it.
        instructions: all but the `FROM`.
    """

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        return [one for one in self.instructions if one.name == name]

    @property
    def environment(self) -> dict[str, str]:
        """What its `ENV` set, in order."""
        pairs = [word.partition("=") for one in self.all("ENV") for word in one.words]
        return {name: value for name, _, value in pairs}


def instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for statement in re.sub(r"\\\s*\n\s*", "", "\n".join(f"{line}" for line in lines)).splitlines():
        if statement.strip():
            name, _, rest = statement.strip().partition(" ")
            yield Instruction(name.upper(), rest.strip())


def stages(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile."""
    arguments: dict[str, str] = {}
    found: list[Stage] = []
    for one in instructions(text):
        if one.name == "ARG" and not found:
            name, _, value = one.text.partition("=")
            arguments[name] = value
        elif one.name == "FROM":
            words = one.words
            name = words[2] if len(words) == 3 and words[1].upper() == "AS" else str(len(found))
            found.append(Stage(_replaced(words[0], arguments), name))
        else:
            found[-1].instructions.append(one)
    return found


def _replaced(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: variables[match[1] or match[2]], text)


class Context:
    """What a build is given of a folder, by its `.dockerignore`.

    Args:
        folder: the context.
        ignored: the text of `.dockerignore`.
    """

    def __init__(self, folder: Path, ignored: str) -> None:
        self.folder = folder
        lines = [line.strip() for line in ignored.splitlines()]
        self._patterns = [line for line in lines if line and not line.startswith("#")]

    def holds(self, path: str) -> bool:
        """Tell whether a file is given; the last pattern that takes it, or a folder of it, decides."""
        parts = PurePosixPath(path).parts
        names = ["/".join(parts[: number + 1]) for number in range(len(parts))]
        is_held = True
        for pattern in self._patterns:
            wanted = pattern.removeprefix("!")
            if any(_matches(name, wanted) for name in names):
                is_held = pattern.startswith("!")
        return is_held

    def files(self, source: str) -> Iterator[str]:
        """Yield the files that a COPY of a source gets."""
        path = self.folder / source
        found = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
        for one in found:
            name = one.relative_to(self.folder).as_posix()
            if self.holds(name):
                yield name


def _matches(name: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(name.rpartition("/")[2], pattern.removeprefix("**/"))
    return name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)


class Build:
    """Does the steps of a Dockerfile, each stage below a root of its own.

    What a step writes by an absolute path lies below the stage's root. The base image is this machine.

    Args:
        folder: where the roots lie.
        context: what COPY takes from.
        programs: a folder of the programs that the base image has, `python` above all.
        addresses: what ADD gets for an address; nothing is fetched.
    """

    def __init__(
        self, folder: Path, context: Context, programs: Path, addresses: Mapping[str, bytes]
    ) -> None:
        self._folder = folder
        self._context = context
        self._programs = programs
        self._addresses = addresses
        self.roots: dict[str, Path] = {}

    def run(self, wanted: Sequence[Stage]) -> Path:
        """Do all stages in order, and return the last one's root."""
        for stage in wanted:
            root = self.roots[stage.name] = self._folder / stage.name
            root.mkdir()
            workdir = root
            for one in stage.instructions:
                if one.name == "WORKDIR":
                    workdir = self.below(root, one.text)
                    workdir.mkdir(parents=True, exist_ok=True)
                elif one.name in {"COPY", "ADD"}:
                    self._copy(one, root, workdir)
                elif one.name == "RUN":
                    self._execute(one, root, workdir)
        return root

    def below(self, root: Path, path: str) -> Path:
        """Return where an absolute path of a stage lies."""
        assert path.startswith("/"), path
        return root / path.lstrip("/")

    def rooted(self, root: Path, text: str) -> str:
        """Return a text with its absolute paths below a root."""
        return _ROOTED.sub(lambda match: f"{root}{match[1]}", text)

    def environment(self, stage: Stage) -> dict[str, str]:
        """Return what a process of a stage's container has."""
        root = self.roots[stage.name]
        values = {name: self.rooted(root, value) for name, value in stage.environment.items()}
        # A container's /tmp.
        (root / "tmp").mkdir(exist_ok=True)
        return values

    def _copy(self, one: Instruction, root: Path, workdir: Path) -> None:
        *sources, target = one.arguments
        into = self.below(root, target) if target.startswith("/") else workdir / target
        for source in sources:
            if source.startswith("https://"):
                into.parent.mkdir(parents=True, exist_ok=True)
                into.write_bytes(self._addresses[source])
                into.chmod(int(one.options["chmod"], 8))
            elif "from" in one.options:
                shutil.copytree(self.below(self.roots[one.options["from"]], source), into, symlinks=True)
            else:
                self._copy_from_context(source, into, is_folder=target.endswith("/"))

    def _copy_from_context(self, source: str, into: Path, *, is_folder: bool) -> None:
        names = list(self._context.files(source))
        assert names, f"{source} is not in the context"
        for name in names:
            inner = PurePosixPath(name).relative_to(source).as_posix()
            own = into / PurePosixPath(name).name if is_folder else into
            path = own if inner == "." else into / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._context.folder / name, path)

    def _execute(self, one: Instruction, root: Path, workdir: Path) -> None:
        done = subprocess.run(
            ["/bin/sh", "-ec", self.rooted(root, one.text)],
            cwd=workdir,
            # The machine's own settings of pip say where packages come from.
            env={**os.environ, "PATH": f"{self._programs}:/usr/bin:/bin", "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{one.text}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
