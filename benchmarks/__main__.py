import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks import engle_granger
from benchmarks.report import Report, machine

BENCHMARKS: dict[str, Callable[[Path | None], Report]] = {
    "engle_granger": engle_granger.run,
}


def main() -> None:
    """Run the named benchmarks, or all of them; the last line of each is JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed and exactness, measured.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to run: {', '.join(BENCHMARKS)}")
    parser.add_argument("--data", type=Path, help="folder of recorded candles: adds a check on them (minutes)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    print(machine())
    for name in arguments.names or BENCHMARKS:
        print(BENCHMARKS[name](arguments.data))


if __name__ == "__main__":
    main()
