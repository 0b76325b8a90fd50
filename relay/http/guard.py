"""The guard against targets inside the network: it judges the very address that will be connected to."""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import AddrInfoType

# No errno of a system call: it survives where several failed attempts are folded into one OSError.
BLOCKED = 0x5EC
_NAT64 = IPv6Network("64:ff9b::/96")
# Public by its number, but it is Azure's host agent, reachable from every guest.
_AZURE = IPv4Address("168.63.129.16")
# Special-purpose as a whole (RFC 6890), though `ipaddress` knows only parts of it; holds Oracle's metadata.
_PROTOCOL = IPv4Network("192.0.0.0/24")


def is_private(address: str) -> bool:
    """Whether an IP address is anything but a public unicast address, also by way of an IPv6 wrapping."""
    return _is_private(ip_address(address.partition("%")[0]))


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (inner := _wrapped(address)):
        return any(_is_private(one) for one in inner)
    special = address == _AZURE or address in _PROTOCOL
    return special or not address.is_global or address.is_multicast or address.is_reserved


def _wrapped(address: IPv6Address) -> list[IPv4Address]:
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address.sixtofour:
        return [address.sixtofour]
    if address.teredo:
        return list(address.teredo)
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFF_FFFF)]
    return []


def guarded_socket(info: AddrInfoType) -> socket.socket:
    """A socket for an address to connect to; OSError with errno `BLOCKED` when the address is private.

    As a connector's socket factory this comes after name resolution, so a name that resolves differently
    the next time (DNS rebinding) gains nothing.
    """
    family, kind, protocol, _, address = info
    if is_private(str(address[0])):
        raise OSError(BLOCKED, "private address")
    return socket.socket(family, kind, protocol)
