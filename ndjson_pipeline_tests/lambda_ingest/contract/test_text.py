"""Text from outside shows as what it is, on one line, within its length."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.contract.text import printable, printable_lines, printable_values

any_text = st.text(st.characters(codec=None, categories=None))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-30-a b+ü.ndjson", "2026-01-30-a b+ü.ndjson"),
        ("日本語-क्ष-عربي", "日本語-क्ष-عربي"),
        ("a\nERROR forged", r"a\nERROR forged"),
        ("a\r\tb\x00\x1b[31m\x7f", r"a\r\tb\x00\x1b[31m\x7f"),
        ("a\x85b\x9bc", r"a\x85b\x9bc"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("a\u202egpj.exe\u2066\u200f\ufeff\u200b", r"a\u202egpj.exe\u2066\u200f\ufeff\u200b"),
        ("a\ud800b", r"a\ud800b"),
        ("a\U000e0001b", r"a\U000e0001b"),
        ("a\xa0b", r"a\xa0b"),
        ("", ""),
    ],
)
def test_what_does_not_show_is_escaped_and_letters_of_any_script_stay(text: str, expected: str) -> None:
    assert printable(text, 200) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("x" * 40, 40, "x" * 40),
        ("x" * 41, 40, "x" * 16 + "... [25 more characters]"),
        ("\n" * 41, 40, r"\n" * 8 + "... [33 more characters]"),
        ("x" * 5_000_000, 60, "x" * 29 + "... [4,999,971 more characters]"),
    ],
)
def test_what_is_cut_is_counted(text: str, limit: int, expected: str) -> None:
    assert printable(text, limit) == expected


@given(any_text, st.integers(0, 60))
def test_any_text_is_printable_within_its_length_and_stays_so(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert all(unicodedata.category(each) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in shown)
    assert shown.encode() is not None
    assert printable(shown, limit) == shown


@given(any_text)
def test_a_traceback_keeps_its_lines_and_nothing_else(text: str) -> None:
    shown = printable_lines(text, 10_000)
    assert all(each.isprintable() or each in "\n\t" for each in shown)
    assert shown.count("\n") == text.count("\n")


def test_values_are_printable_at_any_depth() -> None:
    value = {"a\n": ["b\u202e", {"c": ("d\x85", 1, None, True)}], "count": 2}
    assert printable_values(value) == {r"a\n": [r"b\u202e", {"c": [r"d\x85", 1, None, True]}], "count": 2}
