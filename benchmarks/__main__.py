import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    backfill,
    backtests,
    candle_spreads,
    engle_granger,
    funding,
    hedge_ratios,
    kalman,
    latency,
    null_calibration,
    null_screen,
    reversion,
    rolling,
    screen_growth,
    simulated_market,
    size_power,
    store,
    ticks,
    track_record,
    walk_forward,
)
from benchmarks.report import Report, machine

BENCHMARKS: dict[str, Callable[[Path | None], Report]] = {
    "engle_granger": engle_granger.run,
    "rolling": rolling.run,
    "backtests": backtests.run,
    "screen_growth": screen_growth.run,
    "kalman": kalman.run,
    "reversion": reversion.run,
    "null_screen": null_screen.run,
    "null_calibration": null_calibration.run,
    "size_power": size_power.run,
    "simulated_market": simulated_market.run,
    "store": store.run,
    "ticks": ticks.run,
    "latency": latency.run,
    "backfill": backfill.run,
    "hedge_ratios": hedge_ratios.run,
    "walk_forward": walk_forward.run,
    "funding": funding.run,
    "candle_spreads": candle_spreads.run,
    "track_record": track_record.run,
}
# What runs when none is named: the others take minutes, or an hour.
SHORT = ("engle_granger", "rolling", "simulated_market", "store", "ticks", "kalman")


def main() -> None:
    """Run the named benchmarks, or the short ones; the last line of each is JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed and exactness, measured.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to run: {', '.join(BENCHMARKS)}")
    parser.add_argument("--data", type=Path, help="folder of recorded candles: adds a check on them (minutes)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    print(machine())
    for name in arguments.names or SHORT:
        print(BENCHMARKS[name](arguments.data))


if __name__ == "__main__":
    main()
