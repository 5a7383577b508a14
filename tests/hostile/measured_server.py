"""A real server whose memory is watched."""

import re
import time
from pathlib import Path

from servers import Server


class MeasuredServer(Server):
    """``prebrush serve``, with the most memory that its worker held since it was last asked."""

    @property
    def worker(self) -> Path:
        master = self.process.pid
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return Path(f"/proc/{children[0]}")

    def forget_peak(self) -> None:
        (self.worker / "clear_refs").write_text("5")

    def memory_mb(self, kind: str) -> float:
        """Return ``VmHWM``, the peak, or ``VmRSS``, what is held now."""
        found = re.search(rf"{kind}:\s+(\d+) kB", (self.worker / "status").read_text())
        assert found is not None
        return int(found[1]) / 1024

    def measure(self, method: str, path: str, **more):
        """Ask; return the answer, the seconds it took and the megabytes that memory rose meanwhile."""
        self.forget_peak()
        before = self.memory_mb("VmRSS")
        started = time.monotonic()
        answer = self.ask(method, path, **more)
        seconds = time.monotonic() - started
        return answer, seconds, self.memory_mb("VmHWM") - before
