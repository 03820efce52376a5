"""What holds of the image by reading its Dockerfile."""

import re

import pytest

from ndjson_pipeline_tests.deploy.docker.dockerfile import Context, Stage, instructions, stages
from ndjson_pipeline_tests.test_architecture import ROOT

TEXT = (ROOT / "deploy/docker/Dockerfile").read_text()
CONTEXT = Context(ROOT, (ROOT / ".dockerignore").read_text())


@pytest.fixture(scope="module")
def built() -> list[Stage]:
    return stages(TEXT)


@pytest.fixture(scope="module")
def last(built: list[Stage]) -> Stage:
    return built[-1]


def test_the_base_is_pinned_by_a_whole_version_and_is_the_same_in_each_stage(built: list[Stage]) -> None:
    bases = {stage.base for stage in built}
    assert len(built) > 1
    (base,) = bases
    # hadolint DL3006, DL3007; the Python that is tested.
    assert re.fullmatch(r"[a-z0-9./-]+:3\.11\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base), base


def test_nothing_ties_it_to_one_architecture() -> None:
    words = re.findall(
        r"amd64|arm64|x86_64|aarch64", "\n".join(f"{one.name} {one.text}" for one in instructions(TEXT))
    )
    assert words == []


def test_it_runs_as_a_user_that_is_not_root(last: Stage) -> None:
    (user,) = last.all("USER")
    # By number, so that a scheduler can see that it is not root (hadolint DL3002).
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user.text)
    after = last.instructions[last.instructions.index(user) :]
    assert {one.name for one in after} <= {"USER", "STOPSIGNAL", "ENTRYPOINT"}


def test_what_is_installed_is_what_the_lock_pins(built: list[Stage]) -> None:
    installs = [
        one.text for stage in built for one in stage.all("RUN") if "pip" in one.text and "install" in one.text
    ]
    (install,) = installs
    for option in (
        "--no-deps",
        "--require-hashes",
        "--only-binary :all:",
        "--no-cache-dir",
        "-r code_location.lock",
    ):
        assert option in install
    # hadolint DL3008, DL3009: no packages of the system at all.
    assert not re.search(
        r"\b(apt|apt-get|apk|dnf|yum|curl|wget)\b", "\n".join(one.text for one in instructions(TEXT))
    )


def test_the_last_stage_has_nothing_that_builds(last: Stage) -> None:
    (removal,) = last.all("RUN")
    assert removal.text.startswith("rm -rf ")
    assert "site-packages" in removal.text
    copied = [one for one in last.all("COPY") if "from" not in one.options]
    assert copied == []


def test_what_comes_by_an_address_comes_encrypted_and_is_certificates_alone(built: list[Stage]) -> None:
    added = [one for stage in built for one in stage.all("ADD")]
    (one,) = added
    assert one.arguments[0].startswith("https://truststore.pki.rds.amazonaws.com/")
    assert one.options["chmod"] == "644"


def test_postgresql_must_prove_who_it_is(last: Stage) -> None:
    (added,) = last.all("ADD")
    assert last.environment["PGSSLMODE"] == "verify-full"
    assert last.environment["PGSSLROOTCERT"] == added.arguments[1]


def test_no_secret_is_in_it(built: list[Stage]) -> None:
    names = {name for stage in built for name in stage.environment}
    arguments = {one.text for stage in built for one in stage.all("ARG")}
    assert not {name for name in names | arguments if re.search("PASSWORD|SECRET|TOKEN|KEY|CREDENTIAL", name)}


def test_all_that_is_written_lies_below_its_volume(last: Stage) -> None:
    (volume,) = last.all("VOLUME")
    assert volume.words == ["/tmp"]
    assert last.environment["DAGSTER_HOME"].startswith("/tmp/")
    assert last.environment["HOME"] == "/tmp"
    assert last.environment["PYTHONDONTWRITEBYTECODE"] == "1"


def test_signals_reach_the_service(last: Stage) -> None:
    (signal,) = last.all("STOPSIGNAL")
    assert signal.text == "SIGTERM"
    (entry,) = last.all("ENTRYPOINT")
    # A shell before it would keep the signal (hadolint DL3025).
    assert entry.words == ["python", "-m", "ndjson_pipeline.deployment.services"]


def test_paths_are_absolute(built: list[Stage]) -> None:
    for stage in built:
        assert all(one.text.startswith("/") for one in stage.all("WORKDIR"))  # hadolint DL3000
        assert not any(re.search(r"\bcd\s|\bsudo\b", one.text) for one in stage.all("RUN"))  # DL3003, DL3004


@pytest.mark.parametrize(
    ("path", "is_held"),
    [
        ("ndjson_pipeline/definitions.py", True),
        ("ndjson_pipeline/deployment/instance/production.yaml", True),
        ("deploy/locks/code_location.lock", True),
        ("deploy/README.md", False),
        ("ndjson_pipeline/local_aws/settings.py", False),
        ("ndjson_pipeline/laptop/platform.py", False),
        ("ndjson_pipeline/__pycache__/a.pyc", False),
        (".git/config", False),
        (".env", False),
        ("ndjson_pipeline_tests/conftest.py", False),
        ("requirements.lock", False),
    ],
)
def test_the_context_is_what_is_copied(path: str, is_held: bool) -> None:
    assert CONTEXT.holds(path) is is_held


def test_what_is_copied_is_in_the_context(built: list[Stage]) -> None:
    for stage in built:
        for one in stage.all("COPY"):
            if "from" not in one.options:
                assert all(list(CONTEXT.files(source)) for source in one.arguments[:-1])
