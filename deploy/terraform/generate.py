"""Writes what follows from the feed module's settings: the root's copy, its call, the tables of outputs.

    python deploy/terraform/generate.py            # writes
    python deploy/terraform/generate.py --check    # says what is not current, and fails

The module's `settings.tf` is where a setting is defined. The root has the same variables, for all feeds, and
the `feeds` map has them once more, for one feed.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SETTINGS = Path("modules/feed/settings.tf")
README = ROOT.parent / "README.md"
# The folders whose outputs the README lists, by the name of its marker; docs/configuration.md has variables.
TABLES = {"root": Path(), "feed": Path("modules/feed"), "dagster": Path("modules/dagster")}

_BLOCK = re.compile(r'^(variable|output) "([a-z_0-9]+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(
    r"^  (type|description|default|nullable) += (.*?)(?=^  [a-z]|^\Z|\n\n)", re.MULTILINE | re.DOTALL
)
_WRITTEN = "# Written by generate.py from modules/feed/settings.tf; change it there.\n\n"
_FEEDS = """\
variable "feeds" {
  type = map(object({
<optional>
  }))
  description = "The streams by their names, the one without by \\"\\". What is set here is of one; else its variable counts."
  default = { "" = {} }
  nullable = false

  validation {
    condition = length(var.feeds) > 0 && alltrue([
      for name, _ in var.feeds : can(regex("^([a-z][a-z0-9-]{0,19})?$", name))
    ])
    error_message = "feeds must have one; each name is empty, or a small letter and up to 19 of a-z, 0-9 and -."
  }
}

module "feed" {
  source = "./modules/feed"
  for_each = var.feeds

  environment = var.environment
  feed = each.key
  package_directory = var.package_directory

<passed>
}
"""  # noqa: E501 - HCL knows no way to break a text


@dataclass(frozen=True)
class Declared:
    """A variable or an output, as its file has it.

    Attributes:
        kind: `variable` or `output`.
        name: its name.
        attributes: the text of type, description, default and nullable, as far as they are there.
    """

    kind: str
    name: str
    attributes: Mapping[str, str]

    @property
    def description(self) -> str:
        """The description, without its quotes."""
        return self.attributes.get("description", "").strip('"').replace('\\"', '"')

    @property
    def default(self) -> str | None:
        """The default's text, None where there is none and the variable must be given."""
        return self.attributes.get("default")


def declared_in(text: str) -> Iterator[Declared]:
    """Yield the variables and outputs of a file's text, in order."""
    for kind, name, body in _BLOCK.findall(text):
        attributes = {each: value.strip() for each, value in _ATTRIBUTE.findall(body)}
        yield Declared(kind, name, attributes)


def declared_of(folder: Path, written: Mapping[Path, str] | None = None) -> list[Declared]:
    """Return the variables and outputs of a module, in the order of its files.

    Args:
        folder: the module's.
        written: what files hold from now on, whatever is in them.
    """
    texts = {file: file.read_text() for file in folder.glob("*.tf")} | {
        file: text for file, text in (written or {}).items() if file.parent == folder
    }
    return [one for file in sorted(texts) for one in declared_in(texts[file])]


def root_settings(settings: str) -> str:
    """Return the root's `settings.tf`: the module's, for all feeds."""
    return _WRITTEN + settings


def root_feeds(settings: Sequence[Declared]) -> str:
    """Return the root's `feeds.tf`: the map of feeds, and the call of the module for each."""
    optional = "\n".join(f"    {one.name} = optional({_optional(one)})" for one in settings)
    passed = "\n".join(
        f"  {one.name} = each.value.{one.name} != null ? each.value.{one.name} : var.{one.name}"
        for one in settings
    )
    return _WRITTEN + _FEEDS.replace("<optional>", optional).replace("<passed>", passed)


def _for_all(name: str) -> str:
    """Return what a setting is of a feed that says nothing; the UI that is deployed here has a name."""
    return f"local.{name}" if name == "dagster_url" else f"var.{name}"


def _optional(one: Declared) -> str:
    return "\n  ".join(one.attributes["type"].splitlines())


def output_table(declared: Sequence[Declared]) -> str:
    """Return the table of a module's outputs."""
    rows = ["| output | what |", "| --- | --- |"]
    rows += [f"| `{one.name}` | {_cell(one.description)} |" for one in declared if one.kind == "output"]
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def with_tables(readme: str, root: Path, written: Mapping[Path, str]) -> str:
    """Return the README with its tables as the modules have them; without a marker there is no table."""
    for name, folder in TABLES.items():
        table = output_table(declared_of(root / folder, written))
        begin, end = f"<!-- {name} outputs -->", f"<!-- end of {name} outputs -->"
        before, found, rest = readme.partition(begin)
        if found:
            readme = f"{before}{begin}\n\n{table}\n\n{end}{rest.partition(end)[2]}"
    return readme


def generated(root: Path = ROOT, readme: Path = README) -> dict[Path, str]:
    """Return what each written file should hold."""
    settings = (root / SETTINGS).read_text()
    variables = list(declared_in(settings))
    written = {
        root / "settings.tf": root_settings(settings),
        root / "feeds.tf": aligned(root_feeds(variables)),
    }
    return {**written, readme: with_tables(readme.read_text(), root, written)}


def aligned(text: str) -> str:
    """Return HCL with the equals signs of neighbouring lines below each other, as `terraform fmt` has it."""
    lines = text.split("\n")
    result: list[str] = []
    block: list[tuple[str, str, str]] = []

    def flush() -> None:
        width = max((len(name) for _, name, _ in block), default=0)
        result.extend(f"{indent}{name:<{width}} = {value}" for indent, name, value in block)
        block.clear()

    for line in lines:
        found = re.fullmatch(r"( +)([a-z_0-9]+) = (.*)", line)
        if found is None or (block and block[0][0] != found[1]):
            flush()
        if found is None:
            result.append(line)
            continue
        opens = found[3].count("(") + found[3].count("{") > found[3].count(")") + found[3].count("}")
        if opens:
            # What goes on in the next lines stands for itself.
            flush()
            result.append(line)
            continue
        block.append((found[1], found[2], found[3]))
    flush()
    return "\n".join(result)


def main(arguments: Sequence[str]) -> int:
    """Write, or check; return the exit status."""
    parser = argparse.ArgumentParser(description="Writes what follows from the feed module's settings.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where one is not current")
    options = parser.parse_args(arguments)
    stale = {
        path: text for path, text in generated().items() if not path.exists() or path.read_text() != text
    }
    for path, text in stale.items():
        if options.check:
            print(f"{path} is not current: run python deploy/terraform/generate.py")
        else:
            path.write_text(text)
            print(f"wrote {path}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
