"""The Voila application that serves the page of the top pair."""

from hlpairs_core.dashboard.app import DashboardApp
from hlpairs_core.dashboard.locations import notebook_path
from hlpairs_core.dashboard.serve import serve

__all__ = ["DashboardApp", "notebook_path", "serve"]
