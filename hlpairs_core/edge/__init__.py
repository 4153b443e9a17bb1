"""What a candidate's trade is worth: an expected net edge that is calibrated on trades which ended before it."""

from hlpairs_core.edge.blocks import block_bootstrap, purged_folds, time_blocks
from hlpairs_core.edge.calibrated import CalibratedEdge
from hlpairs_core.edge.calibration import Calibration, calibration
from hlpairs_core.edge.model import EdgeModel
from hlpairs_core.edge.record import with_record

__all__ = [
    "CalibratedEdge",
    "Calibration",
    "EdgeModel",
    "block_bootstrap",
    "calibration",
    "purged_folds",
    "time_blocks",
    "with_record",
]
