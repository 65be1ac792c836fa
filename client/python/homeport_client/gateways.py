"""Which gateway is asked next. No I/O: the time is passed in."""

import random
import threading

GATEWAYS_MAX = 16
EJECTION_BASE = 0.5   # seconds; doubles with each failure in a row
EJECTION_MAX = 30.0
TIMEOUTS_MAX = 2      # in a row
PROBE_TURN = 10.0     # a probe that nobody reported the end of gives up its turn
MOVE_INTERVAL = 1.0   # no two moves within this, should two gateways name each other


class _Gateway:

    def __init__(self, address, told=False):
        self.address = address
        self.told = told
        self.timeouts = 0
        self.ejections = 0
        self.out_until = 0.0
        self.probe_until = 0.0

    def fit(self, now):
        return self.ejections == 0 or now >= self.out_until and now >= self.probe_until


class GatewayChoice:
    """Gateways, best first: stays with one that answers, moves to a nearer one when told of it, and
    away from one that fails, which comes back by single probes. Thread-safe."""

    def __init__(self, addresses, follow_nearest=True, chance=random.random):
        if not 0 < len(addresses) <= GATEWAYS_MAX:
            raise ValueError(f"give 1 to {GATEWAYS_MAX} gateways")
        self._lock = threading.Lock()
        self._gateways = [_Gateway(address) for address in dict.fromkeys(addresses)]
        self._follow = follow_nearest
        self._chance = chance
        self._moved = float("-inf")

    @property
    def preferred(self):
        with self._lock:
            return self._gateways[0].address

    def pick(self, now, not_this=None):
        """An address; `not_this` only if no other is fit."""
        with self._lock:
            fit = [g for g in self._gateways if g.fit(now)]
            picked = next((g for g in fit if g.address != not_this), fit[0] if fit else None)
            if picked is None:
                picked = min(self._gateways, key=lambda g: g.out_until)
            if picked.ejections:
                picked.probe_until = now + PROBE_TURN
            return picked.address

    def has_other(self, address, now):
        with self._lock:
            return any(g.address != address and g.fit(now) for g in self._gateways)

    def answers(self, address, now, nearest=""):
        """It has answered, and names a nearer one or none."""
        with self._lock:
            gateway = self._find(address)
            if gateway:
                gateway.timeouts = gateway.ejections = 0
            # What a stand-in says is nothing new: the preferred one is away.
            if (not self._follow or nearest in ("", address) or now < self._moved + MOVE_INTERVAL
                    or self._gateways[0].address != address):
                return
            self._moved = now
            there = self._find(nearest) or _Gateway(nearest, told=True)
            others = [g for g in self._gateways if g is not there]
            if len(others) == GATEWAYS_MAX:
                others.remove(next((g for g in reversed(others) if g.told), others[-1]))
            self._gateways = [there] + others

    def failed(self, address, now, timed_out=False):
        with self._lock:
            gateway = self._find(address)
            if gateway is None:
                return
            gateway.timeouts += timed_out
            if timed_out and gateway.timeouts < TIMEOUTS_MAX and not gateway.ejections:
                return
            if gateway.ejections and now < gateway.out_until:
                return  # requests that were under way together fail together
            out = min(EJECTION_MAX, EJECTION_BASE * 2 ** min(gateway.ejections, 10))
            gateway.ejections += 1
            gateway.timeouts = 0
            gateway.out_until = now + out + self._chance() * EJECTION_BASE / 2
            gateway.probe_until = now

    def _find(self, address):
        return next((g for g in self._gateways if g.address == address), None)
