"""What all requests over HTTP share: connections, proxies, and which answers are worth another try."""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

TRY_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
LONGEST_WAIT_S = 300
CONNECT_S = 15.0


def pool(url: str) -> urllib3.PoolManager:
    """Connections to a server, through the proxy of the machine where one is set for it."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, maxsize=64)
    return urllib3.PoolManager(maxsize=64)
