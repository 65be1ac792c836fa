"""What a session has seen, as tokens that a client can not read.

A reply's token covers those that its request carried. So it takes their place; tokens of replies
that came in the meantime stay beside it, and the next request carries them all: the byte 2, a byte
with how many there are, then each token's length in two bytes, little endian, and the token.
"""

import threading

IN_FLIGHT_MAX = 48  # requests of one session; more tokens than this are then never held
JOINED_MAX = 16     # of other sessions, between two replies
BUNDLED_MAX = IN_FLIGHT_MAX + JOINED_MAX


def bundle(tokens):
    if len(tokens) < 2:
        return b"".join(tokens)
    return bytes([2, len(tokens)]) + b"".join(
        len(token).to_bytes(2, "little") + token for token in tokens)


def split(joined):
    """The tokens of a bundle. ValueError if it is not one."""
    if not joined:
        return []
    if joined[0] != 2:
        return [joined]
    tokens, at = [], 2
    while at < len(joined):
        length = int.from_bytes(joined[at:at + 2], "little")
        token = joined[at + 2:at + 2 + length]
        if length == 0 or len(token) != length:
            raise ValueError("the session token is cut")
        tokens.append(token)
        at += 2 + length
    if len(joined) < 2 or not 0 < len(tokens) == joined[1] <= BUNDLED_MAX:
        raise ValueError("the session token is cut")
    return tokens


class SessionTokens:
    """Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._held = {}  # token by number
        self._joined = set()
        self._next = 1
        self._sent = False

    def to_send(self):
        """What a request carries: the bytes, and a mark to be given back with its end."""
        with self._lock:
            self._sent = True
            return bundle(list(self._held.values())), self._next

    def answered(self, mark, token):
        """The token of a reply, or the fresh one of HISTORY_LOST, takes the place of what the
        request carried."""
        if not token:
            return
        with self._lock:
            self._drop(mark)
            if token not in self._held.values():
                self._held[self._next] = token
            self._next += 1

    def drop(self, mark):
        """What was carried is of another cluster, or damaged."""
        with self._lock:
            self._drop(mark)

    def _drop(self, mark):
        self._held = {number: token for number, token in self._held.items() if number >= mark}
        self._joined &= self._held.keys()

    def join(self, exported):
        """Adds what another session has seen. ValueError if that is damaged, or too much."""
        with self._lock:
            new = [token for token in split(exported) if token not in self._held.values()]
            fresh = not self._sent and not self._held
            if not fresh and len(self._joined) + len(new) > JOINED_MAX:
                raise ValueError(f"more than {JOINED_MAX} session tokens joined without a reply")
            for token in new:
                self._held[self._next] = token
                self._joined.add(self._next)
                self._next += 1

    def export(self):
        with self._lock:
            return bundle(list(self._held.values()))
