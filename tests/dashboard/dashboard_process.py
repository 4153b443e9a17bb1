import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SERVE = """
import asyncio, sys
from pathlib import Path
from hlpairs_core.dashboard import serve
asyncio.run(serve(
    engine_url=sys.argv[1], read_token="read-secret", port=0, announce=lambda url: print(url, flush=True),
    open_browser=False, unwatched_seconds=float(sys.argv[2]), notebook=Path(sys.argv[3]) if sys.argv[3:] else None,
))
"""


@dataclass(frozen=True)
class Dashboard:
    """A dashboard in a process of its own."""

    url: str
    process: "subprocess.Popen[str]"
    log: Path

    def kernels(self) -> list[int]:
        """Process ids of the visitors' kernels."""
        found = []
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                parent = next(line for line in status.read_text().splitlines() if line.startswith("PPid:"))
                command = (status.parent / "cmdline").read_bytes()
            except (OSError, StopIteration):
                continue
            if int(parent.split()[1]) == self.process.pid and b"ipykernel" in command:
                found.append(int(status.parent.name))
        return found

    def kernel_environment(self) -> dict[str, str]:
        """Environment of the newest kernel."""
        raw = Path(f"/proc/{max(self.kernels())}/environ").read_bytes()
        return dict(item.split("=", 1) for item in raw.decode().split("\0") if "=" in item)


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


@contextmanager
def run_dashboard(engine_url: str, *, unwatched: float = 75.0, notebook: Path | None = None) -> Iterator[Dashboard]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "stderr.txt"
        environment = {
            **os.environ,
            "HLPAIRS_ADMIN_TOKEN": "admin-secret",
            "JUPYTER_RUNTIME_DIR": f"{folder}/runtime",
            "IPYTHONDIR": f"{folder}/ipython",
        }
        with log.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, engine_url, str(unwatched), *([str(notebook)] if notebook else [])],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, log.read_text()
            yield Dashboard(url, process, log)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)
            process.stdout.close()
