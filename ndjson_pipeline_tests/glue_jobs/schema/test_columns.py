import pytest

from glue_jobs.schema.column_names import fold
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.types import INT64


@pytest.mark.parametrize(
    ("one", "other"),
    [("ID", "id"), ("\u0130", "i"), ("\u0131", "I"), ("\u212a", "k"), ("\u017f", "S"), ("\u00c9", "\u00e9")],
)
def test_folds_as_readers_do(one, other):
    assert fold(one) == fold(other)
    assert fold("\u00df") != fold("ss")


def test_changes_are_named():
    one = Columns({"a": INT64, "B": INT64})
    assert one.changed_names(Columns({"a": INT64, "c": INT64})) == {"b", "c"}
