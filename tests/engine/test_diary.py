import pytest

from hlpairs_core.engine.diary import Diary
from hlpairs_core.engine.problems import Problems
from hlpairs_core.exceptions import StoreNotWritable
from hlpairs_core.store import Journal


class FillingJournal(Journal):
    """A journal on a disk that has no room while `full` is True."""

    full = False

    def add_verdict(self, *arguments, **options):
        self._refuse()
        return super().add_verdict(*arguments, **options)

    def add_snapshot(self, *arguments, **options):
        self._refuse()
        super().add_snapshot(*arguments, **options)

    def _refuse(self):
        if self.full:
            raise StoreNotWritable("cannot write: disk is full")


@pytest.fixture
def journal(tmp_path):
    journal = FillingJournal(tmp_path / "journal.sqlite", lambda: 1_000.0)
    yield journal
    journal.close()


@pytest.fixture
def problems():
    return Problems(lambda: 1_000.0)


def verdict(number):
    return {"market": {"name": "demo"}, "verdict": number}


async def test_verdicts_wait_for_room_and_are_stored_in_their_order(journal, problems):
    diary = Diary(journal, problems)
    journal.full = True
    diary.add_verdict(verdict(1), bar_closed_ms=1)
    await diary.write({"n": 1}, market_ms=5)
    diary.add_verdict(verdict(2), bar_closed_ms=2)
    await diary.write({"n": 2}, market_ms=6)
    assert "verdicts that wait in memory: 2" in problems.all()[0]["text"]
    journal.full = False
    await diary.write({"n": 3}, market_ms=7)
    assert problems.all() == []
    assert [entry["bar_ms"] for entry in journal.verdicts()] == [2, 1]
    assert [entry["payload"] for entry in journal.history(60)] == [{"n": 3}]
    assert diary.waiting == 0


async def test_a_journal_that_was_set_aside_is_reported(journal, problems):
    diary = Diary(journal, problems)
    await diary.write({"n": 1}, market_ms=5)
    journal.close()
    journal.path.write_bytes(b"no database" * 1000)
    await diary.write({"n": 2}, market_ms=6)
    (problem,) = problems.all()
    assert problem["source"] == "journal"
    assert "was set aside and a new one begun" in problem["text"]
    assert [entry["payload"] for entry in journal.history(60)] == [{"n": 2}]
