"""What the demonstration puts into the input bucket."""

import gzip
import os
import socket
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.validation import AcceptedFile, validate
from lambda_ingest.settings import Settings
from ndjson_pipeline.laptop.demo.input_files import (
    FILES_PER_MANIFEST,
    SPLIT_BYTES,
    InputFile,
    InputFolderError,
    date_of,
    files_of_folder,
    generated_files,
)

NOW = datetime(2026, 1, 30, 12, tzinfo=UTC)
TODAY, YESTERDAY = date(2026, 1, 30), date(2026, 1, 29)
SETTINGS = Settings("bucket", "table", expected_file_size_mb=0)


def is_accepted(file: InputFile) -> bool:
    created = ObjectCreated("in", f"{SETTINGS.input_prefix}{file.name}", len(file.content), "etag")
    verdict = validate(created, SETTINGS, NOW)
    return isinstance(verdict, AcceptedFile) and verdict.date_prefix == file.date_prefix


@pytest.mark.parametrize("count", range(36))
def test_every_file_is_due_whatever_their_number(count: int) -> None:
    dates = [date_of(position, count, TODAY) for position in range(count)]
    per_date = Counter(dates)
    # Today's wait for full batches; a past date flushes all that is pending.
    assert per_date[TODAY] % FILES_PER_MANIFEST == 0
    assert per_date[YESTERDAY] == count % FILES_PER_MANIFEST
    assert per_date.total() == count


@pytest.mark.parametrize("count", [1, 9, 10, 25])
def test_generated_files_are_ones_that_ingest_accepts(count: int) -> None:
    files = list(generated_files(count, 1024, NOW, seed=1))
    assert len({file.name for file in files}) == count
    assert all(map(is_accepted, files))
    assert all(file.record_count == len(file.content.splitlines()) > 0 for file in files)
    assert all(len(file.content) >= 1024 for file in files)


def test_the_same_seed_generates_the_same_files() -> None:
    once, again, other = (list(generated_files(3, 1024, NOW, seed)) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_midnight_in_another_zone_does_not_change_the_dates() -> None:
    local = datetime.fromisoformat("2026-01-31T01:00:00+09:00")
    (file,) = generated_files(1, 1, local, seed=1)
    assert file.date_prefix == "2026-01-29"


def test_a_folder_of_plain_and_gzip_files_is_read(tmp_path: Path) -> None:
    (tmp_path / "b.ndjson").write_bytes(b'{"n": 1}\n\n{"n": 2}')
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b'{"n": 3}\n'))
    (tmp_path / "c.jsonl").write_bytes(b'{"n": 4}\r\n')
    (tmp_path / "README.md").write_text("no input")
    (tmp_path / "folder.json").mkdir()
    files = files_of_folder(tmp_path, NOW).files
    assert [file.name[:12] for file in files] == ["2026-01-29-a", "2026-01-29-b", "2026-01-29-c"]
    assert [file.record_count for file in files] == [1, 2, 1]
    assert files[0].content == b'{"n": 3}\n'
    assert all(map(is_accepted, files))


def test_a_large_file_is_split_at_whole_lines_and_loses_none(tmp_path: Path) -> None:
    line = b'{"text": "' + b"x" * 999_988 + b'"}\n'
    content = line * 8 + b'{"last": true}'
    (tmp_path / "large.ndjson").write_bytes(content)
    files = files_of_folder(tmp_path, NOW).files
    assert len(files) > 1
    assert b"".join(file.content for file in files) == content
    assert all(len(file.content) <= SPLIT_BYTES for file in files)
    assert sum(file.record_count for file in files) == 9
    assert len({file.name for file in files}) == len(files)


def test_a_line_longer_than_a_piece_stays_whole(tmp_path: Path) -> None:
    long = b'{"text": "' + b"x" * (SPLIT_BYTES + 1) + b'"}\n'
    (tmp_path / "a.ndjson").write_bytes(b'{"n": 1}\n' + long + b'{"n": 2}\n')
    assert [file.content for file in files_of_folder(tmp_path, NOW).files] == [
        b'{"n": 1}\n',
        long,
        b'{"n": 2}\n',
    ]


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "with space",
        "üñí çødé",
        "_hidden",
        ".hidden",
        "a#b%c&d",
        "...",
        "-",
        "2026-01-01-dated",
        "x" * 200,
    ],
)
def test_every_filename_becomes_one_that_ingest_accepts(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.ndjson").write_bytes(b'{"n": 1}\n')
    (file,) = files_of_folder(tmp_path, NOW).files
    assert is_accepted(file)


def test_files_whose_names_become_the_same_do_not_replace_each_other(tmp_path: Path) -> None:
    for name in ("a b.ndjson", "a-b.ndjson", "a-b.json", "a-b.ndjson.gz"):
        content = f'{{"name": "{name}"}}\n'.encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    names = [file.name for file in files_of_folder(tmp_path, NOW).files]
    assert len(set(names)) == len(names) == 4


def test_an_empty_file_in_a_folder_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "empty.ndjson").write_bytes(b"")
    (tmp_path / "a.ndjson").write_bytes(b'{"n": 1}\n')
    assert [file.record_count for file in files_of_folder(tmp_path, NOW).files] == [1]


def test_a_folder_of_empty_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.ndjson").write_bytes(b"")
    with pytest.raises(InputFolderError, match=str(tmp_path)):
        files_of_folder(tmp_path, NOW)


def test_a_folder_without_ndjson_is_refused_with_the_endings_that_count(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no input")
    with pytest.raises(InputFolderError, match=r"\.ndjson, \.ndjson\.gz"):
        files_of_folder(tmp_path, NOW)


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(b"{}\n")
    for path in (file, tmp_path / "absent"):
        with pytest.raises(InputFolderError, match="no folder"):
            files_of_folder(path, NOW)


def test_no_link_is_followed_wherever_it_leads(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret.ndjson").write_bytes(b'{"secret": 1}\n')
    (folder / "a.ndjson").write_bytes(b'{"n": 1}\n')
    for name, target in {
        "absolute.ndjson": outside / "secret.ndjson",
        "relative.ndjson": Path("../outside/secret.ndjson"),
        "folder.ndjson": outside,
        "chain.ndjson": folder / "absolute.ndjson",
        "inside.ndjson": folder / "a.ndjson",
        "itself.ndjson": folder / "itself.ndjson",
        "nowhere.ndjson": folder / "absent",
        "memory.ndjson": Path("/proc/self/environ"),
        "zero.ndjson": Path("/dev/zero"),
    }.items():
        (folder / name).symlink_to(target)
    found = files_of_folder(folder, NOW)
    assert [file.content for file in found.files] == [b'{"n": 1}\n']
    assert len(found.left_out) == 9
    assert all(text.endswith(" (a link)") for text in found.left_out)


def test_the_folder_that_was_named_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ndjson").write_bytes(b"{}\n")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert len(files_of_folder(tmp_path / "link", NOW).files) == 1


@pytest.mark.timeout(20)
def test_what_is_no_plain_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.ndjson")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.ndjson")
        found = files_of_folder(tmp_path, NOW)
    assert len(found.files) == 1
    assert found.left_out == ("folder.json (a folder)", "pipe.ndjson (a pipe)", "socket.ndjson (a socket)")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_takes_a_name_after_the_look_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")
    (tmp_path / "b.ndjson").write_bytes(b"{}\n")
    (tmp_path / "secret").write_bytes(b'{"secret": 1}\n')
    look = os.stat

    def look_and_change(path: object, **named: object) -> os.stat_result:
        found = look(path, **named)
        if path == "b.ndjson":
            (tmp_path / "b.ndjson").unlink()
            if kind == "link":
                (tmp_path / "b.ndjson").symlink_to(tmp_path / "secret")
            else:
                os.mkfifo(tmp_path / "b.ndjson")
        return found

    monkeypatch.setattr("ndjson_pipeline.laptop.demo.input_files.os.stat", look_and_change)
    found = files_of_folder(tmp_path, NOW)
    assert len(found.files) == 1
    assert {"b.ndjson (a link)", "b.ndjson (no plain file)"} & set(found.left_out)


def test_what_is_left_out_is_told_in_short_and_harmlessly(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")
    (tmp_path / "empty.ndjson").write_bytes(b"")
    (tmp_path / "\x1b[2J\n\u202egpj.txt").write_bytes(b"")
    (tmp_path / os.fsdecode(b"\xff.txt")).write_bytes(b"")
    (tmp_path / ("x" * 240)).write_bytes(b"")
    for number in range(20):
        (tmp_path / f"z{number}.txt").write_bytes(b"")
    found = files_of_folder(tmp_path, NOW)
    text = found.left_out_text()
    assert len(found.left_out) == 24
    assert text.startswith("left out: ")
    assert text.endswith(" and 14 more")
    assert text.isprintable()
    assert len(text) < 11 * 130
    assert "empty.ndjson (empty)" in found.left_out
    assert r"\x1b[2J\n\u202egpj.txt (another ending)" in found.left_out
    assert r"\xff.txt (another ending)" in found.left_out
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ndjson").write_bytes(b"{}\n")
    assert files_of_folder(tmp_path / "in", NOW).left_out_text() == ""


def test_the_longest_name_makes_a_key_of_a_bounded_length(tmp_path: Path) -> None:
    (tmp_path / ("x" * 248 + ".ndjson")).write_bytes(b"{}\n")
    (file,) = files_of_folder(tmp_path, NOW).files
    assert len(file.name) <= 130
    assert is_accepted(file)


def test_a_file_that_is_no_gzip_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "broken.json.gz").write_bytes(b'{"n": 1}\n')
    with pytest.raises(InputFolderError, match=r"broken\.json\.gz"):
        files_of_folder(tmp_path, NOW)


def test_a_gzip_that_is_cut_short_is_refused_by_its_name(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"n": 1}\n' * 1000)
    (tmp_path / "short.json.gz").write_bytes(whole[:-10])
    with pytest.raises(InputFolderError, match=r"short\.json\.gz"):
        files_of_folder(tmp_path, NOW)
