"""Silence in one thread, and none in others."""

import logging
import threading
import warnings

import pytest

from relprop.support.quiet import silenced


@pytest.fixture
def log():
    """Record the messages of a logger."""
    logger, records = logging.getLogger("relprop.tests.quiet"), []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield logger, records
    logger.removeHandler(handler)


def in_a_thread(act) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def test_warnings_are_silenced_by_their_beginning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with silenced(["an old", ".*retired"]):
            for text in ("an old name", "An Old Name", "this is retired", "another old name"):
                warnings.warn(text, stacklevel=1)
        warnings.warn("an old name", stacklevel=1)
    assert [str(w.message) for w in caught] == ["another old name", "an old name"]


def test_warnings_of_other_threads_are_not_silenced():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with silenced(["an old"]):
            in_a_thread(lambda: warnings.warn("an old name", stacklevel=1))
    assert [str(w.message) for w in caught] == ["an old name"]


def test_a_warning_that_would_be_an_error_is_silenced():
    with warnings.catch_warnings():
        with silenced(["an old"]):
            pass
        warnings.simplefilter("error")  # put before the filter of `silenced`
        with silenced(["an old"]):
            warnings.warn("an old name", stacklevel=1)


def test_reports_of_a_logger_are_silenced_in_this_thread(log):
    logger, records = log
    with silenced(loggers=[logger.name]):
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(logger, level)(level)
        logger.getChild("below").warning("below")
        in_a_thread(lambda: logger.error("other thread"))
    logger.error("after")
    assert records == ["debug", "info", "critical", "below", "other thread", "after"]


def test_silence_ends_with_an_error_and_nests(log):
    logger, records = log
    with silenced(loggers=[logger.name]):
        with pytest.raises(ZeroDivisionError), silenced(loggers=["another"]):
            raise ZeroDivisionError
        logger.error("inside")
    with pytest.raises(ZeroDivisionError), silenced(loggers=[logger.name]):
        raise ZeroDivisionError
    logger.error("outside")
    assert records == ["outside"]


def test_jobs_of_scikit_learn_run_afterwards():
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier

    with silenced(["nothing"]):
        pass
    x = np.arange(100.0)[:, None]
    fitted = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5).fit(x, x[:, 0] > 50)
    assert fitted.predict([[10.0], [90.0]]).tolist() == [False, True]
