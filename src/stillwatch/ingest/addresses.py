"""Client addresses: normal form, the network they belong to, and what is known of it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class NetworkInfo:
    """What a table of networks says: kind (hosting, residential_proxy, mobile, campus, ...), system number, country."""

    kind: str | None = None
    asn: int | None = None
    country: str | None = None


class Networks:
    """Longest-prefix lookup of addresses, and lookup of autonomous system numbers."""

    def __init__(
        self, prefixes: Iterable[tuple[Network, NetworkInfo]] = (), asns: dict[int, NetworkInfo] | None = None
    ):
        self.asns = asns or {}
        self.by_length: dict[tuple[int, int], dict[int, NetworkInfo]] = {}
        for network, info in prefixes:
            table = self.by_length.setdefault((network.version, network.prefixlen), {})
            table[int(network.network_address)] = info
        self.lengths = {v: sorted((n for w, n in self.by_length if w == v), reverse=True) for v in (4, 6)}

    def __bool__(self) -> bool:
        return bool(self.by_length or self.asns)

    def find(self, address: bytes) -> NetworkInfo | None:
        """The most specific network that holds the address (4 or 16 bytes)."""
        version, value, bits = (4 if len(address) == 4 else 6), int.from_bytes(address), 8 * len(address)
        for length in self.lengths[version]:
            low = bits - length
            info = self.by_length[version, length].get(value >> low << low)
            if info is not None:
                return info
        return None


_MAPPED = b"\0" * 10 + b"\xff\xff"


@lru_cache(maxsize=1 << 17)
def parse(text: str) -> bytes | None:
    """The 4 or 16 bytes of an address: plain, with a port, in brackets, or first of a forwarded-for list; else None.

    An IPv4 address mapped into IPv6 is one of 4 bytes. (The C library reads ten times faster than `ipaddress`.)
    """
    text = text.split(",", 1)[0].strip()
    if text.startswith("["):
        text = text[1:].split("]", 1)[0]
    elif text.count(":") == 1:
        text = text.split(":", 1)[0]
    try:
        if ":" not in text:
            return socket.inet_pton(socket.AF_INET, text)
        packed = socket.inet_pton(socket.AF_INET6, text.split("%", 1)[0])
    except (OSError, ValueError):  # ValueError: a null byte, or no ASCII
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def write(address: bytes) -> str:
    """An address as text, in normal form."""
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def prefix(address: bytes) -> str:
    """The /24 (IPv4) or /48 (IPv6) around an address: what one customer usually has, or shares with few."""
    return write(address[:3] + b"\0") + "/24" if len(address) == 4 else write(address[:6] + b"\0" * 10) + "/48"


@dataclass
class AddressColumns:
    """Arrays, [rows]: address, address_prefix, asn, network_kind, country; `bad` counts texts that are no address."""

    columns: dict[str, pa.Array]
    bad: int


def columns(texts: pa.Array, asn: pa.Array, country: pa.Array, networks: Networks) -> AddressColumns:
    """Read addresses and join what the table of networks knows; what the log itself says of asn and country stays."""
    encoded = texts.dictionary_encode()
    found: list[tuple[str | None, str | None, NetworkInfo]] = []
    bad_values = []
    for text in encoded.dictionary.to_pylist():
        address = parse(text)
        bad_values.append(address is None)
        info = (networks.find(address) if address else None) or NetworkInfo()
        found.append((write(address) if address else None, prefix(address) if address else None, info))

    def spread(values: list[Any], kind: pa.DataType) -> pa.Array:
        return pc.take(pa.array(values, kind), encoded.indices)

    bad = pc.sum(spread(bad_values, pa.bool_())).as_py() or 0
    asn = pc.coalesce(asn, spread([info.asn for _, _, info in found], pa.int64()))
    kind = spread([info.kind for _, _, info in found], pa.string())
    if networks.asns:
        known = [networks.asns.get(a) if a is not None else None for a in asn.to_pylist()]
        kind = pc.coalesce(kind, pa.array([info.kind if info else None for info in known], pa.string()))
        country = pc.coalesce(country, pa.array([info.country if info else None for info in known], pa.string()))
    return AddressColumns(
        {
            "address": spread([a for a, _, _ in found], pa.string()),
            "address_prefix": spread([p for _, p, _ in found], pa.string()),
            "asn": asn,
            "network_kind": kind,
            "country": pc.coalesce(country, spread([info.country for _, _, info in found], pa.string())),
        },
        bad,
    )
