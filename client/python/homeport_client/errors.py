"""Errors with a stable reason, and what may be sent again after one."""

from google.rpc import error_details_pb2, status_pb2


class HomeportError(Exception):
    """A call that failed.

    code: the name of the gRPC code, as "INVALID_ARGUMENT".
    reason: a stable word, as "LIMIT_EXCEEDED"; empty if the gateway did not answer.
    metadata: what the reason is about, as {"field": "id", "limit": "512", "actual": "513"}.
    retry_delay: seconds that the server asks to wait before the next try, or None.
    """

    def __init__(self, code, reason, message, metadata=None, retry_delay=None):
        super().__init__(f"{code} ({reason}): {message}" if reason else f"{code}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = metadata or {}
        self.retry_delay = retry_delay

    @classmethod
    def of(cls, error):
        """From a grpc.RpcError."""
        info, wait = error_details_pb2.ErrorInfo(), None
        for name, value in error.trailing_metadata() or ():
            if name != "grpc-status-details-bin":
                continue
            for detail in status_pb2.Status.FromString(value).details:
                retry = error_details_pb2.RetryInfo()
                if detail.Unpack(retry):
                    wait = max(0.0, retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9)
                else:
                    detail.Unpack(info)
        return cls(error.code().name, info.reason, error.details(), dict(info.metadata), wait)

    @property
    def answered(self):
        """The gateway itself has answered, if only with an error."""
        return bool(self.reason) or self.code not in ("UNAVAILABLE", "DEADLINE_EXCEEDED",
                                                      "CANCELLED")

    @property
    def busy(self):
        """Refused before anything was done; the same gateway may take it later."""
        return self.reason == "OVERLOADED" or self.retry_delay is not None and self.code in (
            "RESOURCE_EXHAUSTED", "UNAVAILABLE")

    @property
    def turned_away(self):
        """Refused before anything was done; another gateway may take it."""
        return self.reason in ("DRAINING", "NO_REGION", "REGION_UNREACHABLE")

    @property
    def may_be_done(self):
        """A write that ended so may stand all the same."""
        return (not self.answered or self.reason == "OUTCOME_UNKNOWN" or
                self.code in ("UNKNOWN", "INTERNAL"))


def unknown_outcome(last):
    """What a write ends with that was sent, and of which nobody can say whether it was done."""
    if last.reason == "OUTCOME_UNKNOWN":
        return last
    return HomeportError("UNAVAILABLE", "OUTCOME_UNKNOWN",
                         "the write was not answered, and may have been done; the last attempt "
                         f"ended with: {last}")


def not_sent(address):
    return HomeportError("UNAVAILABLE", "REGION_UNREACHABLE", f"no gateway answers at {address}",
                         {"address": address})
