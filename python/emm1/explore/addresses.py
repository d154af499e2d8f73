"""Addresses of machines."""

from __future__ import annotations

LOOPBACK = "127.0.0.1"


def in_url(host: str) -> str:
    """An IP address as it stands in a URL.

    >>> in_url("::1"), in_url("127.0.0.1")
    ('[::1]', '127.0.0.1')
    """
    return f"[{host}]" if ":" in host else host
