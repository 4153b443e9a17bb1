"""The rule of `backtests`, in vectorbt and in backtesting.py: run by an interpreter that has them.

``python backtest_peers.py FILE`` reads prices and fits, then answers each line on its input, the name of a peer, with
a line of JSON: processor seconds of a backtest of a pair, and what vectorbt's earned. The fits are given: their cost is
not in the peers' seconds.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
import vectorbt as vbt
from backtesting import Backtest, Strategy
from numba import njit
from vectorbt.portfolio import nb
from vectorbt.portfolio.enums import NoOrder, SizeType

PAIRS_OF_BACKTESTING = 3
NOTIONAL = 1e6


@njit
def start_of_pair(_context):
    return np.zeros(4), np.zeros(2)


@njit
def before_bar(c, state, target, logs, fits, opens, enter, leave, hold, notional):
    """Decide at the close before; the order is filled at this bar's open. `state`: α, β, signed σ, entry bar."""
    t = c.i - 1
    if t < 0:
        return target, False
    y, x = logs[t, c.from_col], logs[t, c.from_col + 1]
    if state[2] != 0.0:
        z = (y - state[0] - state[1] * x) / state[2]
        if z <= leave or c.i - state[3] >= hold:
            state[2], target[0], target[1] = 0.0, 0.0, 0.0
            return target, True
        return target, False
    alpha, beta, sigma = fits[0, c.group, t], fits[1, c.group, t], fits[2, c.group, t]
    z = (y - alpha - beta * x) / sigma
    if not abs(z) >= enter:
        return target, False
    side = 1.0 if z > 0 else -1.0
    state[0], state[1], state[2], state[3] = alpha, beta, side * sigma, c.i
    target[0] = -side * notional / (1 + abs(beta)) / opens[c.i, c.from_col]
    target[1] = side * beta * notional / (1 + abs(beta)) / opens[c.i, c.from_col + 1]
    return target, True


@njit
def order(c, target, due, opens):
    if not due:
        return NoOrder
    size = target[c.col - c.from_col]
    return nb.order_nb(size=size, price=opens[c.i, c.col], size_type=SizeType.TargetAmount)


def run_vectorbt(data):
    y, x = data["pairs"].T
    columns = np.column_stack([y, x]).ravel()
    opens, logs = (np.ascontiguousarray(data[name][:, columns]) for name in ("open", "log_close"))
    rule = (float(data["enter"]), float(data["leave"]), int(data["hold"]), NOTIONAL)
    portfolio = vbt.Portfolio.from_order_func(
        pd.DataFrame(np.exp(logs)), order, opens, pre_group_func_nb=start_of_pair,
        pre_segment_func_nb=before_bar, pre_segment_args=(logs, data["fits"], opens, *rule),
        init_cash=1e9, cash_sharing=True, group_by=np.repeat(np.arange(len(y)), 2), freq="1h",
    )  # fmt: skip
    return 1e4 * portfolio.total_profit().to_numpy() / NOTIONAL


def run_backtesting(data):
    for pair in range(PAIRS_OF_BACKTESTING):
        y = data["pairs"][pair, 0]
        frame = pd.DataFrame({"Open": data["open"][:, y], "Close": np.exp(data["log_close"][:, y])})
        frame["High"], frame["Low"] = frame.max(axis=1), frame.min(axis=1)
        frame.index = pd.date_range("2025-01-01", periods=len(frame), freq="1h")
        Backtest(frame, one_leg(data, pair), cash=1e9, finalize_trades=True).run()


def one_leg(data, pair):
    """Trade the leg of y alone: there is one instrument."""
    y, x = (data["log_close"][:, column] for column in data["pairs"][pair])
    (alpha, beta, sigma), (enter, leave, hold) = data["fits"][:, pair], (data[n] for n in ("enter", "leave", "hold"))

    class Reversion(Strategy):
        def init(self):
            self.held = None

        def next(self):
            t = len(self.data) - 1
            if self.held is not None:
                a, b, scale, entry = self.held
                if (y[t] - a - b * x[t]) / scale <= leave or t + 1 - entry >= hold:
                    self.position.close()
                    self.held = None
                return
            z = (y[t] - alpha[t] - beta[t] * x[t]) / sigma[t]
            if abs(z) >= enter:
                units = int(NOTIONAL / (1 + abs(beta[t])) / self.data.Close[-1])
                self.held = (alpha[t], beta[t], np.sign(z) * sigma[t], t + 1)
                if z > 0:
                    self.sell(size=units)
                else:
                    self.buy(size=units)

    return Reversion


def main():
    data = dict(np.load(sys.argv[1]))
    run_vectorbt(data)
    print(json.dumps({"versions": [vbt.__version__, __import__("backtesting").__version__]}), flush=True)
    for line in sys.stdin:
        start = time.process_time()
        if line.strip() == "vectorbt":
            earned, count = run_vectorbt(data).tolist(), len(data["pairs"])
        else:
            earned, count = run_backtesting(data), PAIRS_OF_BACKTESTING
        print(json.dumps({"seconds": (time.process_time() - start) / count, "gross_bps": earned}), flush=True)


if __name__ == "__main__":
    main()
