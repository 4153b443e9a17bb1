"""What ``/metrics`` says, in Prometheus' format."""

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hlpairs_core.exchange import StreamStatus, WeightBudget

__all__ = ["Metrics"]


class Metrics:
    """The engine's instruments, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"hlpairs_{name}", text, registry=self.registry)

        def counter(name: str, text: str) -> Counter:
            return Counter(f"hlpairs_{name}", text, registry=self.registry)

        self.ticks = counter("ticks", "Quotes that were taken, from the stream or by polling all mids")
        self.published = counter("published", "Answers that were built and sent")
        self.exchange_errors = counter("exchange_errors", "Requests that failed after all retries")
        self.bars = counter("bars", "Closed bars that were screened")
        self.bars_skipped = counter("bars_skipped", "Closed bars that passed while an earlier one was screened")
        self.top_changes = counter("top_changes", "Closed bars at which the selected pair changed")
        self.message_age = gauge("message_age_seconds", "Wall time since the last message of the exchange")
        self.bar_age = gauge("bar_age_seconds", "Market time since the screened bar closed")
        self.bars_compared = counter("bars_compared", "Closed candles that were held against the trades of their bar")
        self.bars_mismatched = counter("bars_mismatched", "Closed candles that their trades contradict")
        self.stream_messages = gauge("stream_messages", "Messages of the stream since the start")
        self.stream_reconnects = gauge("stream_reconnects", "Connections of the stream that had to be replaced")
        self.stream_conflated = gauge(
            "stream_conflated", "Quotes that were replaced by newer ones before they were read"
        )
        self.stream_subscribed = gauge("stream_subscribed", "Subscriptions that the exchange serves")
        self.stream_quarantined = gauge("stream_quarantined", "Subscriptions that are left out")
        self.rate_limited = gauge("rate_limited", "Answers since the start that were 429: too many requests")
        self.held_back = gauge("requests_held_back", "Types of request that are not sent because they kept failing")
        self.weight_used = gauge("weight_used", "Request weight spent in the last minute")
        self.readers = gauge("readers", "Open connections to /ws/top")
        self.coins = gauge("coins_eligible", "Coins in the last screen")
        self.pairs = gauge("pairs_tested", "Pairs in the last screen")
        self.qualifying = gauge("pairs_qualifying", "Pairs that qualified at the last closed bar")
        self.refit = Histogram(
            "hlpairs_refit_seconds",
            "Wall time of one screen, worker included",
            registry=self.registry,
            buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30),
        )
        self.top_abs_zscore = Histogram(
            "hlpairs_top_abs_zscore",
            "|z| of the selected pair (or of the nearest miss) at each closed bar",
            registry=self.registry,
            buckets=(0.5, 1, 1.5, 2, 2.5, 3, 4, 6),
        )

    def observe_lead(self, zscore: float) -> None:
        """Count the z of the pair in the lead; spot has none, and a NaN would stay in the sum for ever."""
        if math.isfinite(zscore):
            self.top_abs_zscore.observe(abs(zscore))

    def observe_stream(self, status: StreamStatus) -> None:
        """Take over what the stream counts."""
        self.stream_messages.set(status.messages)
        self.stream_reconnects.set(status.reconnects)
        self.stream_conflated.set(status.conflated)
        self.stream_subscribed.set(status.subscribed)
        self.stream_quarantined.set(len(status.quarantined))

    def watch_budget(self, budget: WeightBudget) -> None:
        """Read the budget whenever somebody asks."""
        # What an endless budget has spent cannot be told from what is left of it.
        if math.isfinite(budget.per_minute):
            self.weight_used.set_function(lambda: budget.per_minute - budget.remaining)
