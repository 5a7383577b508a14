"""Which addresses may be connected to. Judges the numbers a connection is made to, never the name alone."""

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from prebrush.errors import ConfigError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

GUARDED_NETWORKS: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "fe80::/10",
        "fd00:ec2::/64",  # metadata, credentials of containers and more on AWS over IPv6
        "fd20:ce::254/128",  # metadata on Google Cloud over IPv6
        "fd00:c1::a9fe:a9fe/128",  # metadata on Oracle Cloud over IPv6
        "fd00:42::42/128",  # metadata on Scaleway over IPv6
        "100.100.100.200/32",  # metadata on Alibaba Cloud
        "192.0.0.192/32",  # metadata on Oracle Cloud
        "168.63.129.16/32",  # Azure's WireServer; it looks like a public address
        # an IPv4 address wrapped in ways that only a relay or a gateway knows to undo: any of those above may be in it
        "64:ff9b:1::/48",
        "::ffff:0:0:0/96",
        "2002::/16",  # 6to4
        "2001::/32",  # Teredo
    )
)
"""Addresses that hand out a machine's own credentials, belong to the cable alone, or may lead to one that does."""

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out for the internet; the rest (site-local, say) is not public."""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SUFFIX_OR_NAME = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]{0,252})")


class Reach(Enum):
    """How far an address reaches."""

    PUBLIC = "public"
    PRIVATE = "private"
    """Loopback, private, shared, reserved, multicast: whatever is not for the whole internet."""
    GUARDED = "guarded"
    """Link-local and metadata services: never by trust, only where the operator lists them."""


def parse_address(text: str) -> Address:
    """Read an address, and take the IPv4 address out of an IPv6 one that only wraps it."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def reach_of(address: Address) -> Reach:
    """Judge one address; whatever is not plainly public is private.

    >>> reach_of(parse_address("::ffff:169.254.169.254"))
    <Reach.GUARDED: 'guarded'>
    """
    if any(address in network for network in GUARDED_NETWORKS):
        return Reach.GUARDED
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return Reach.PRIVATE
    is_given_out = isinstance(address, ipaddress.IPv4Address) or address in GLOBAL_UNICAST
    return Reach.PUBLIC if is_given_out else Reach.PRIVATE


@dataclass(frozen=True, slots=True)
class AllowList:
    """Where images may come from, as the operator set it.

    Attributes
    ----------
    names : frozenset of str
        Host names whose every address is allowed.
    suffixes : tuple of str
        ``.example.org`` for the setting's ``*.example.org``; the bare ``example.org`` is not meant by it.
    networks : tuple
        Addresses allowed whatever name led to them.
    allow_public : bool
        Allow every public address.
    """

    names: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    allow_public: bool = True

    @classmethod
    def parse(cls, text: str = "", *, allow_public: bool = True) -> "AllowList":
        """Read a comma-separated list of host names, ``*.suffix``, addresses and networks.

        Raises
        ------
        ConfigError
            An entry is none of these.
        """
        names, suffixes, networks = set(), [], []
        for entry in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
                continue
            except ValueError:
                pass  # no address or network: a name, then
            # "10.0.0.0/8x" and "http://host" must not pass for names
            if not _SUFFIX_OR_NAME.fullmatch(entry) or re.fullmatch(r"[0-9.]+", entry):
                raise ConfigError(
                    f"images.allowed_hosts: {entry!r} is no host name, *.suffix, address or network; "
                    "write for example: minio, *.corp.example, 10.1.0.0/16"
                )
            if entry.startswith("*."):
                suffixes.append(entry[1:])
            else:
                names.add(entry.removesuffix("."))
        return cls(frozenset(names), tuple(suffixes), tuple(networks), allow_public)

    def permits(self, host: str, address: Address, *, trusted: bool) -> bool:
        """Tell whether `host` may be fetched from at `address`; `trusted` is for Label Studio's own origin."""
        if host in self.names or host.endswith(self.suffixes):
            return True
        if any(address in network for network in self.networks):
            return True
        reach = reach_of(address)
        if reach is Reach.GUARDED:
            return False
        return trusted or (reach is Reach.PUBLIC and self.allow_public)
