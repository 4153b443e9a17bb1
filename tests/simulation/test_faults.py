import random

import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.faults import Fault, Faults, spoiled


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_fault_strikes_while_it_lasts_and_not_a_moment_longer() -> None:
    clock = Clock()
    faults = Faults(clock=clock)
    assert faults.strike("stall") is None
    faults.start(Fault("stall", seconds=5.0))
    clock.now += 4.9
    assert faults.strike("stall", "slow") == Fault("stall", seconds=5.0)
    assert faults.strike("slow") is None
    clock.now += 0.1
    assert faults.strike("stall") is None
    assert faults.active() == []


def test_a_fault_strikes_only_what_it_is_meant_for() -> None:
    faults = Faults(clock=Clock())
    faults.start(Fault("nan", only="l2Book", coin="BTC"))
    assert faults.strike("nan", only="l2Book", coin="BTC") is not None
    assert faults.strike("nan", only="l2Book", coin="ETH") is None
    assert faults.strike("nan", only="allMids") is None
    faults.clear()
    assert faults.strike("nan", only="l2Book", coin="BTC") is None


def test_a_share_is_how_often_it_strikes() -> None:
    faults = Faults(clock=Clock(), rng=random.Random(1))
    faults.start(Fault("limited", share=0.25))
    struck = sum(faults.strike("limited") is not None for _ in range(4000))
    assert 900 < struck < 1100


def test_the_usual_amount_stands_in_for_one_that_is_not_given() -> None:
    assert Fault("slow").size == 2.0
    assert Fault("slow", amount=7.0).size == 7.0


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"kind": "gremlins"}, "there is no fault 'gremlins': use one of refuse, stall"),
        ({"kind": "slow", "seconds": 0.0}, "more than 0 seconds, got 0.0"),
        ({"kind": "slow", "seconds": float("nan")}, "more than 0 seconds, got nan"),
        ({"kind": "slow", "share": 0.0}, "share is a chance above 0 and at most 1, got 0.0"),
        ({"kind": "feed-kill"}, "the fault feed-kill needs a coin"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(options: dict, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        Fault(**options)


@pytest.mark.parametrize(("kind", "bad"), [("types", ["1.5"]), ("feed-nan", "NaN"), ("zero", "0")])
def test_spoiling_strikes_numbers_and_keeps_the_shape(kind: str, bad: object) -> None:
    payload = {"coin": "BTC", "levels": [[{"px": "1.5", "n": 3}] * 50, []], "none": None}
    out = spoiled(payload, kind, random.Random(0))
    prices = [level["px"] for level in out["levels"][0]]
    assert bad in prices
    assert "1.5" in prices
    assert out["coin"] == "BTC"
    assert all(level["n"] == 3 for level in out["levels"][0])
    assert payload["levels"][0][0]["px"] == "1.5"
