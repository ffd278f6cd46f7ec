"""Progress of a long run: a line now and then, and a mark on disk from which it goes on."""

import time
from pathlib import Path


class Progress:
    """Prints how far a run has come, at most once in `every` seconds."""

    def __init__(self, name: str, total: int, start: int = 0, every: float = 20) -> None:
        self.name, self.total, self.start, self.every = name, total, start, every
        self.began = time.monotonic()
        self._said = 0.0

    def at(self, done: int, note: str = "") -> None:
        """Tell that `done` of the total are done."""
        now = time.monotonic()
        if now - self._said < self.every and done < self.total:
            return
        self._said = now
        rate = (done - self.start) / max(1e-9, now - self.began)
        left = (self.total - done) / rate if rate else 0
        print(f"{self.name} {done}/{self.total}  {rate:.1f}/s  {_clock(left)} left  {note}", flush=True)


def reached(mark: Path) -> int:
    """How far a run came, by its mark on disk."""
    return int(mark.read_text()) if mark.exists() else 0


def note(mark: Path, done: int) -> None:
    """Mark how far a run is; a stop while writing leaves the mark before."""
    fresh = mark.with_name(f"{mark.name}.new")
    fresh.write_text(str(done))
    fresh.replace(mark)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"
