import os
import time
from collections.abc import Mapping
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Dict, Float, Unicode

__all__ = ["NativeKernelSpecs", "VisitorKernelManager", "visitor_environment"]


def visitor_environment(environment: Mapping[str, str], granted: Mapping[str, str]) -> dict[str, str]:
    """Return a visitor's kernel environment: without this process's ``HLPAIRS_`` settings, with those granted."""
    kept = {name: value for name, value in environment.items() if not name.startswith("HLPAIRS_")}
    return {**kept, **granted}


class NativeKernelSpecs(KernelSpecManager):
    """Knows only the kernel of this very Python: a ``python3`` registered for another one has not got hlpairs."""

    def _kernel_dirs_default(self) -> list[str]:
        return []


class VisitorKernelManager(AsyncMappingKernelManager):
    """One kernel a visitor, ended when nobody looks.

    A live page's messages count as activity, so idle culling never ends its kernel, and the browser's farewell
    is lost when a laptop sleeps. What counts here is whether a websocket is connected.

    Attributes
    ----------
    unwatched_seconds : float
        How long a kernel may be without a connection: enough for a slow first load.
    granted : dict
        The ``HLPAIRS_`` variables that a kernel gets.
    """

    unwatched_seconds = Float(75.0, config=True)
    granted = Dict(key_trait=Unicode(), value_trait=Unicode(), config=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)  # type: ignore[no-untyped-call]
        self._unwatched_since: dict[str, float] = {}

    async def _async_start_kernel(self, **options: Any) -> str:
        options["env"] = visitor_environment(options.get("env") or os.environ, self.granted)
        # A kernel's warnings are for who runs notebooks, not for the terminal that serves this page.
        options["extra_arguments"] = ["--IPKernelApp.log_level=ERROR"]
        kernel_id: str = await super()._async_start_kernel(**options)
        self._unwatched_since[kernel_id] = time.monotonic()
        return kernel_id

    start_kernel = _async_start_kernel  # type: ignore[assignment]

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End the kernel when it has had no connection for `unwatched_seconds`."""
        now = time.monotonic()
        if self._kernel_connections.get(kernel_id, 0) > 0:
            self._unwatched_since[kernel_id] = now
        elif now - self._unwatched_since.setdefault(kernel_id, now) >= self.unwatched_seconds:
            self.log.info("ending kernel %s: nobody looks at its page", kernel_id)
            self._unwatched_since.pop(kernel_id, None)
            await self._async_shutdown_kernel(kernel_id, now=True)  # type: ignore[no-untyped-call]
