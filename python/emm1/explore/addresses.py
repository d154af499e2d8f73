"""Addresses of machines."""

from __future__ import annotations

from ipaddress import ip_address

LOOPBACK = "127.0.0.1"


def is_of_this_machine_only(host: str) -> bool:
    """Whether no other machine reaches an address; what is no address is nowhere.

    >>> [is_of_this_machine_only(each) for each in ("127.0.0.2", "0:0::1", "0.0.0.0", "example.org")]
    [True, True, False, True]
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return True


def in_url(host: str) -> str:
    """An IP address as it stands in a URL.

    >>> in_url("::1"), in_url("127.0.0.1")
    ('[::1]', '127.0.0.1')
    """
    return f"[{host}]" if ":" in host else host
