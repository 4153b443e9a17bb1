import asyncio

import pytest

from hlpairs_core.engine.problems import NOTE_SECONDS, RETRY_SECONDS, Problems, forever
from hlpairs_core.exceptions import ExchangeError


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


def test_a_problem_stays_until_it_is_solved_and_keeps_its_beginning():
    clock = Clock()
    problems = Problems(clock)
    problems.report("store", "full")
    clock.now += 60
    problems.report("store", "fuller")
    assert [(one["text"], one["since"]) for one in problems.all()] == [("fuller", "1970-01-01T00:16:40.000Z")]
    problems.report("store", None)
    assert problems.all() == []


def test_what_happened_and_is_over_is_told_once_and_for_a_while():
    clock = Clock()
    problems = Problems(clock)
    problems.note("store", "a file was set aside")
    clock.now += NOTE_SECONDS - 1
    problems.note("store", "a file was set aside")
    assert [one["text"] for one in problems.all()] == ["a file was set aside"]
    clock.now += 1
    problems.note("store", "a file was set aside")
    assert problems.all() == []


async def repeat(*outcomes):
    """Run `forever` over these outcomes (None, or an error to raise); return what was reported after each."""
    problems, left, seen = Problems(Clock()), list(outcomes), []

    async def step():
        seen.append([(one["source"], one["text"], one["retry_in_seconds"]) for one in problems.all()])
        if not left:
            raise asyncio.CancelledError
        outcome = left.pop(0)
        if outcome is not None:
            raise outcome

    async def sleep(seconds):
        assert seconds == RETRY_SECONDS

    with pytest.raises(asyncio.CancelledError):
        await forever("bars", step, problems, sleep)
    return seen[1:]


async def test_a_failure_is_shown_until_a_step_succeeds():
    shown = await repeat(ExchangeError("no answer"), ExchangeError("still none"), None)
    assert shown == [[("bars", "no answer", 5.0)], [("bars", "still none", 5.0)], []]


async def test_a_failure_inside_a_group_of_tasks_is_named_by_its_cause():
    shown = await repeat(ExceptionGroup("unhandled", [ExchangeError("no answer"), ValueError("x")]))
    assert shown == [[("bars", "no answer", 5.0)]]


async def test_a_defect_of_our_own_is_logged_and_does_not_end_the_engine(caplog):
    shown = await repeat(ExceptionGroup("unhandled", [ZeroDivisionError("secret detail")]), None)
    assert shown == [[("bars", "internal error (ZeroDivisionError), see the engine's log", 5.0)], []]
    assert "secret detail" in caplog.text
