from hlpairs_core.store.candles import CandleStore, FundingStore
from hlpairs_core.store.journal import Journal
from hlpairs_core.store.lock import FolderLock
from hlpairs_core.store.problems import StoreProblem
from hlpairs_core.store.runtime import RuntimeFile
from hlpairs_core.store.series import SegmentStore

__all__ = [
    "CandleStore",
    "FolderLock",
    "FundingStore",
    "Journal",
    "RuntimeFile",
    "SegmentStore",
    "StoreProblem",
]
