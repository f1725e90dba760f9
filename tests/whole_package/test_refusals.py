"""docs/refusals.md shows what errors say today, and what they say to write works."""

from pathlib import Path

import pytest
from helpers.refusals import SECTIONS, namespace, page, raised, run_instead

PAGE = Path(__file__).parents[2] / "docs" / "refusals.md"
REFUSALS = [refusal for refusals in SECTIONS.values() for refusal in refusals]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.code}, {refusal.x}")
def test_what_an_error_says_to_write_works(refusal, tmp_path):
    names = namespace(refusal, str(tmp_path))
    error = raised(refusal, names)
    assert refusal.line in error.todo
    assert all((error.given, error.allowed, error.todo))
    if refusal.instead or " = " in refusal.line:
        result = run_instead(refusal, names)
        relevance = getattr(result, "relevance", None)
        assert relevance is None or relevance.abs().sum() > 0


def test_the_page_shows_what_the_errors_say():
    assert PAGE.read_text() == page(), "write it: tests/helpers/refusals.py > docs/refusals.md"
