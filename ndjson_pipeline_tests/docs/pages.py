"""The pages of the documentation: their command lines, links, anchors, and what they name."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "ndjson-pipeline"
# Written from the commands themselves: usages with placeholders, which its own test holds.
GENERATED = "docs/commands.md"
_FENCE = re.compile(r"^ *```(\w*) *\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class CommandLine:
    """A line that a person would type.

    Attributes:
        page: where it stands.
        text: as it stands, without its comment.
        variables: what is set for it alone.
        words: the command and its arguments.
        is_typed: whether it stands in a block; else within a text, where arguments may be left out.
    """

    page: str
    text: str
    variables: tuple[str, ...]
    words: tuple[str, ...]
    is_typed: bool = True

    @property
    def command(self) -> str:
        return self.words[0] if self.words else ""

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


@cache
def pages() -> dict[str, str]:
    """Return the text of each page by its path below the root."""
    found = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "deploy/README.md"]
    found += sorted((ROOT / "docs").rglob("*.md"))
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in found}


def fences(page: str) -> Iterator[tuple[str, str]]:
    """Yield language and text of each fenced block."""
    yield from _FENCE.findall(pages()[page])


def prose(page: str) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", pages()[page])


def inline_code(page: str) -> list[str]:
    return _INLINE.findall(prose(page))


def links(page: str) -> list[str]:
    # What looks like a link within code is none.
    return [one or other for one, other in _LINK.findall(_INLINE.sub("", prose(page)))]


def anchors(page: str) -> set[str]:
    """Return the anchors that a forge gives a page's headings."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        number = 0
        while (numbered := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(numbered)
    return found


def lines_of_block(page: str, text: str, *, is_typed: bool = True) -> Iterator[CommandLine]:
    """Yield the command lines of a block; a backslash joins lines, `&&` parts them."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            part, words = words[:end], words[end + 1 :]
            count = next((n for n, word in enumerate(part) if not re.match(r"[A-Z_]+=", word)), len(part))
            shown = " ".join(shlex.quote(word) for word in part)
            yield CommandLine(page, shown, tuple(part[:count]), tuple(part[count:]), is_typed)


@cache
def command_lines() -> tuple[CommandLine, ...]:
    """Return every command line of every page: of blocks without a language, and of code within text."""
    found: list[CommandLine] = []
    for page in pages():
        if page == GENERATED:
            continue
        for language, text in fences(page):
            if not language:
                found += lines_of_block(page, text)
        for code in inline_code(page):
            if re.match(rf"(?:[A-Z_]+=\S+ )?(?:{PROGRAM}|make|python -m|aws|terraform) ", code):
                found += lines_of_block(page, code, is_typed=False)
    return tuple(dict.fromkeys(found))
