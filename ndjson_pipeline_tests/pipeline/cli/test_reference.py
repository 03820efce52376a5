"""The page about the commands says what they say."""

from ndjson_pipeline.cli.reference import PAGE, page


def test_the_page_is_that_of_the_commands() -> None:
    assert PAGE.read_text() == page(), "run `python -m ndjson_pipeline.cli.reference`"


def test_each_command_that_changes_something_takes_a_dry_run() -> None:
    for name in (
        "reprocess",
        "accept",
        "flush",
        "reconcile",
        "quarantine release",
        "dlq redrive",
        "lock break",
        "schema set",
        "schema rebuild",
    ):
        section = page().split(f"## ndjson-pipeline {name}\n")[1].split("\n## ")[0]
        assert "`--dry-run`" in section
        assert "`--yes`" in section
