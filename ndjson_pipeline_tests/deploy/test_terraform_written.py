"""What is written from the feed module's settings is current, and every variable says what it is."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TERRAFORM = Path(__file__).resolve().parents[2] / "deploy" / "terraform"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The script, which is in no package."""
    specification = importlib.util.spec_from_file_location("generate", TERRAFORM / "generate.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    with pytest.MonkeyPatch.context() as patcher:
        # dataclasses look their module up.
        patcher.setitem(sys.modules, "generate", module)
        specification.loader.exec_module(module)
    return module


def test_what_is_written_is_current(generate: ModuleType) -> None:
    stale = [str(path) for path, text in generate.generated().items() if path.read_text() != text]
    assert stale == [], "run python deploy/terraform/generate.py"


def test_a_changed_setting_is_noticed(generate: ModuleType, tmp_path: Path) -> None:
    settings = (TERRAFORM / "modules/feed/settings.tf").read_text()
    assert generate.root_settings(settings + "\n") != (TERRAFORM / "settings.tf").read_text()
    (one, *_) = generate.declared_in(settings)
    assert f"  {one.name} = each.value.{one.name}" in generate.root_feeds([one])


@pytest.mark.parametrize("folder", [".", "modules/feed"])
def test_every_variable_has_a_type_a_description_and_bounds(generate: ModuleType, folder: str) -> None:
    declared = generate.declared_of(TERRAFORM / folder)
    for one in declared:
        assert one.description.endswith("."), one.name
        if one.kind == "variable":
            assert "type" in one.attributes, one.name
    texts = [path.read_text() for path in (TERRAFORM / folder).glob("*.tf")]
    bodies = {name: body for text in texts for kind, name, body in generate._BLOCK.findall(text)}
    # What can't be wrong: a type of two values, or of such.
    free = {
        "dynamodb_on_demand",
        "enable_autoscaling",
        "deletion_protection",
        "input_rules",
        "manage_input_notifications",
        "deploy_dagster",
        # The module that it is handed to looks at each of its attributes.
        "dagster",
    }
    unbound = {
        one.name for one in declared if one.kind == "variable" and "validation {" not in bodies[one.name]
    }
    assert unbound <= free


def test_the_table_names_every_output(generate: ModuleType) -> None:
    readme = (TERRAFORM.parent / "README.md").read_text()
    outputs = [one for one in generate.declared_of(TERRAFORM) if one.kind == "output"]
    missing = [one.name for one in outputs if f"| `{one.name}` |" not in readme]
    assert missing == []
