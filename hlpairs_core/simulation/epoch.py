"""When every synthetic market opened, and the step in which it is made."""

__all__ = ["EPOCH_MS", "HOUR_MS"]

HOUR_MS = 3_600_000
EPOCH_MS = 1_735_689_600_000
"""2025-01-01T00:00Z."""
