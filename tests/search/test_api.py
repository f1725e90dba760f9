"""The call of a fit from Python."""

import time

import pytest

from relprop.search import run, settings
from relprop.search.api import fit


class Asked(Exception):
    """Ends a fit when it is about to begin."""


def test_what_is_imported_and_checked_first_counts(monkeypatch, tmp_path):
    parse, asked = settings.parse_settings, []

    def slowly(**given):
        time.sleep(0.3)
        return parse(**given)

    def begin(request, *_):
        asked.append(request.deadline.spent())
        raise Asked

    monkeypatch.setattr(settings, "parse_settings", slowly)
    monkeypatch.setattr(run, "run_fit", begin)
    with pytest.raises(Asked):
        fit(tmp_path / "table.csv", budget="10m", out=tmp_path / "out")
    assert asked[0] >= 0.3
