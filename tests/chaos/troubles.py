"""When what could not be used, so that it can be asked whether a client had a reason to give up."""
import contextlib
import math
import threading
import time

FARM = "the farm as a whole"
RECOVERY = 3  # seconds that it may take after a fault is over


class Troubles:
    def __init__(self):
        self._spans, self._lock = [], threading.Lock()

    def begin(self, who):
        span = [who, time.monotonic(), math.inf]
        with self._lock:
            self._spans.append(span)
        return span

    @staticmethod
    def end(span):
        span[2] = time.monotonic()

    @contextlib.contextmanager
    def span(self, who):
        span = self.begin(who)
        try:
            yield
        finally:
            self.end(span)

    def now(self, who):
        """Whether it cannot be used, or could not until a moment ago."""
        with self._lock:
            return any(name == who and time.monotonic() < last + RECOVERY for name, _, last in self._spans)

    def excuse(self, begin, end, doors):
        """Whether at some moment between the two nobody could have been served by any of `doors`."""
        with self._lock:
            spans = [(who, first, last + RECOVERY) for who, first, last in self._spans if first <= end and last + RECOVERY >= begin]
        for moment in (max(first, begin) for _, first, _ in spans):
            out = {who for who, first, last in spans if first <= moment <= last}
            if FARM in out or out >= set(doors):
                return True
        return False
