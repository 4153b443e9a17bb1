"""What ``/metrics`` says, in Prometheus' format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Metrics"]


class Metrics:
    """The engine's instruments, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"hlpairs_{name}", text, registry=self.registry)

        def counter(name: str, text: str) -> Counter:
            return Counter(f"hlpairs_{name}", text, registry=self.registry)

        self.ticks = counter("ticks", "Polls of all mids that were answered")
        self.exchange_errors = counter("exchange_errors", "Requests that failed after all retries")
        self.bars = counter("bars", "Closed bars that were screened")
        self.bars_skipped = counter("bars_skipped", "Closed bars that passed while an earlier one was screened")
        self.top_changes = counter("top_changes", "Closed bars at which the selected pair changed")
        self.message_age = gauge("message_age_seconds", "Wall time since the last message of the exchange")
        self.bar_age = gauge("bar_age_seconds", "Market time since the screened bar closed")
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
