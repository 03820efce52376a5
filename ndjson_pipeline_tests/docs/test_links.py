"""Links lead somewhere, and what pages name is there."""

import re

import pytest

from ndjson_pipeline_tests.docs.pages import ROOT, anchors, fences, inline_code, links, pages

_LANGUAGES = {"", "text", "json", "yaml", "toml", "sql", "python", "hcl", "mermaid"}
_FOLDERS = (
    "lambda_ingest",
    "glue_jobs",
    "ndjson_pipeline",
    "ndjson_pipeline_tests",
    "deploy",
    "benchmarks",
    "docs",
)
_FILE = re.compile(r"[\w./-]+\.(?:py|tf|tfvars|md|yaml|json|cpp|lock|png)|[\w-]+(?:/[\w.-]+)+/?")


@pytest.mark.parametrize("page", pages())
def test_links_lead_to_a_page_and_a_heading(page: str) -> None:
    broken = []
    for link in links(page):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists():
            broken.append(link)
            continue
        name = target.resolve().relative_to(ROOT).as_posix()
        if anchor and (name not in pages() or anchor not in anchors(name)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", pages())
def test_a_block_that_is_no_shells_says_what_it_is(page: str) -> None:
    """What has no language is typed by a reader, and is run by the tests of commands."""
    assert {language for language, _ in fences(page)} <= _LANGUAGES


def is_there(code: str) -> bool | None:
    """Tell whether a file or module that a text names is there; None where it names none."""
    folders = "|".join(_FOLDERS)
    if re.match(rf"(?:{folders})/", code) and _FILE.fullmatch(code):
        # What is proven where is told by the tests' own tree.
        beginnings = (ROOT, ROOT / "ndjson_pipeline_tests")
        return any((each / code).exists() or (each / f"{code}.py").exists() for each in beginnings)
    if re.fullmatch(rf"(?:{folders})(?:\.\w+)+", code) and not code.endswith((".lock", ".zip")):
        path = ROOT / code.replace(".", "/")
        # The last part may be a name within the module.
        modules = (path, path.with_suffix(".py"), path.parent.with_suffix(".py"), path.parent / "__init__.py")
        return any(each.exists() for each in modules)
    if re.fullmatch(r"test_\w+\.py", code):
        return any((ROOT / "ndjson_pipeline_tests").rglob(code))
    return None


@pytest.mark.parametrize("page", pages())
def test_files_and_modules_that_are_named_are_there(page: str) -> None:
    assert [code for code in inline_code(page) if is_there(code) is False] == []


def test_each_picture_is_shown_and_small() -> None:
    shown = {link.rpartition("/")[2] for page in pages() for link in links(page) if link.endswith(".png")}
    for path in (ROOT / "docs/images").glob("*.png"):
        assert path.name in shown, f"{path.name} is on no page"
        assert path.stat().st_size < 200_000, path


def test_each_page_is_reached_from_the_first() -> None:
    seen: set[str] = set()
    to_read = ["README.md"]
    while to_read:
        page = to_read.pop()
        if page in seen:
            continue
        seen.add(page)
        for link in links(page):
            path = link.partition("#")[0]
            target = (ROOT / page).parent / path
            if path.endswith(".md") and target.exists():
                to_read.append(target.resolve().relative_to(ROOT).as_posix())
    assert set(pages()) - seen == set()
