from hlpairs_core.store.backup import Backup, back_up
from hlpairs_core.store.candles import CandleStore, FundingStore, MinuteStore
from hlpairs_core.store.journal import Journal
from hlpairs_core.store.lock import FolderLock
from hlpairs_core.store.markets import MarketReport, held
from hlpairs_core.store.problems import StoreProblem
from hlpairs_core.store.report import StoreReport
from hlpairs_core.store.restore import Restored, finish_restore, put_back
from hlpairs_core.store.runtime import RuntimeFile
from hlpairs_core.store.scorecard import Came, Said, ScorecardFile, Unmarked
from hlpairs_core.store.scorecard_reader import read_scorecard
from hlpairs_core.store.screen_history import ScreenHistory
from hlpairs_core.store.screens import Keep, Screens, ScreenTable
from hlpairs_core.store.series import SegmentStore

__all__ = [
    "Backup",
    "Came",
    "CandleStore",
    "FolderLock",
    "FundingStore",
    "Journal",
    "Keep",
    "MarketReport",
    "MinuteStore",
    "Restored",
    "RuntimeFile",
    "Said",
    "ScorecardFile",
    "ScreenHistory",
    "ScreenTable",
    "Screens",
    "SegmentStore",
    "StoreProblem",
    "StoreReport",
    "Unmarked",
    "back_up",
    "finish_restore",
    "held",
    "put_back",
    "read_scorecard",
]
