"""Sessions with Homeport for Python: small, blocking, thread-safe.

    client = Client("gateway-1:7011", "gateway-2:7011")
    session = client.session()
    session.put("demo", "user/7", b"Ada", key="name")
    session.get("demo", "user/7", key="name").item.value    # sees it, in whichever region it lands

A session sends its token by itself, gives every write a request id, sends again only what can not
have a second effect, goes to the gateway that is nearest, and away from one that fails. Replies are
the messages of homeport.v1; errors are HomeportError. Needs grpcio and the stubs of the protos
(tests/client/python/make_stubs.py makes them) on PYTHONPATH.
"""

from homeport_client.errors import HomeportError
from homeport_client.gateways import GatewayChoice
from homeport_client.session import Client, Session
from homeport_client.tokens import SessionTokens

__all__ = ["Client", "GatewayChoice", "HomeportError", "Session", "SessionTokens"]
