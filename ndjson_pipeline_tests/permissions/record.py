"""The calls on record: what each component's role has to allow.

A test that makes a component call something else fails and names it; a run of all tests fails where something
on record was not seen. `NDJSON_TESTS_RECORD_CALLS=1 make test` writes the record anew; read the difference
before it is committed, for each line of it is a right.
"""

import json
from pathlib import Path

from ndjson_pipeline_tests.permissions.needs import Need
from ndjson_pipeline_tests.permissions.recording import Needs

PATH = Path(__file__).with_name("calls.json")
RECORD_VARIABLE = "NDJSON_TESTS_RECORD_CALLS"


def read() -> Needs:
    """Return what is on record, by component."""
    document = json.loads(PATH.read_text()) if PATH.exists() else {}
    return {
        component: {Need(action, resource) for action, resources in actions.items() for resource in resources}
        for component, actions in document.items()
    }


def write(needs: Needs) -> None:
    """Put needs on record in the place of those that are."""
    document: dict[str, dict[str, list[str]]] = {}
    for component in sorted(needs):
        for need in sorted(needs[component]):
            document.setdefault(component, {}).setdefault(need.action, []).append(need.resource)
    PATH.write_text(json.dumps(document, indent=1) + "\n")


def to_rows(needs: Needs) -> list[list[str]]:
    """Return needs as one process of tests hands them to another."""
    return [
        [component, need.action, need.resource]
        for component in sorted(needs)
        for need in sorted(needs[component])
    ]


def from_rows(rows: list[list[str]]) -> Needs:
    """Return what `to_rows` was given."""
    needs: Needs = {}
    for component, action, resource in rows:
        needs.setdefault(component, set()).add(Need(action, resource))
    return needs


def without(needs: Needs, others: Needs) -> Needs:
    """Return the needs that are not among others."""
    return {
        component: left for component, own in needs.items() if (left := own - others.get(component, set()))
    }


def together(*several: Needs) -> Needs:
    """Return all of several."""
    union: Needs = {}
    for needs in several:
        for component, own in needs.items():
            union.setdefault(component, set()).update(own)
    return union
