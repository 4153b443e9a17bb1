"""The one live process and its readers. Importing this loads neither scipy, statsmodels nor arch."""

from hlpairs_core.engine.client import EngineClient
from hlpairs_core.engine.connect import RunningEngine, connect, find, start

__all__ = ["EngineClient", "RunningEngine", "connect", "find", "start"]
