"""Networks, addresses and clients that everybody shares. All invented.

IPv4 addresses are from 240.0.0.0/4 (reserved, never routed) and IPv6 from 2001:db8::/32 (documentation), system
numbers from the private-use ranges: no address of a world can be somebody's.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.worlds.chance import Array, draw, mix
from stillwatch.worlds.text.languages import LANGUAGES

COUNTRIES = (
    # code, share, hours from UTC, language
    ("US", 24.0, -6.0, "en"), ("GB", 7.0, 0.0, "en"), ("IN", 9.0, 5.5, "en"), ("CA", 4.0, -5.0, "en"),
    ("AU", 2.5, 10.0, "en"), ("IE", 1.0, 0.0, "en"), ("SG", 2.0, 8.0, "en"), ("NG", 1.5, 1.0, "en"),
    ("DE", 7.0, 1.0, "de"), ("AT", 1.2, 1.0, "de"), ("CH", 1.5, 1.0, "de"), ("FR", 5.0, 1.0, "fr"),
    ("BE", 1.2, 1.0, "fr"), ("ES", 3.5, 1.0, "es"), ("MX", 3.0, -6.0, "es"), ("AR", 2.0, -3.0, "es"),
    ("CL", 1.0, -4.0, "es"), ("BR", 4.0, -3.0, "en"), ("JP", 5.5, 9.0, "ja"), ("TW", 2.0, 8.0, "zh"),
    ("HK", 1.5, 8.0, "zh"), ("KZ", 1.2, 5.0, "ru"), ("NL", 2.5, 1.0, "en"), ("PL", 2.5, 1.0, "en"),
    ("KR", 3.0, 9.0, "en"), ("ID", 2.5, 7.0, "en"),
)  # fmt: skip
COUNTRY_SHARES = np.array([share for _, share, _, _ in COUNTRIES])
COUNTRY_ZONE = np.array([zone for _, _, zone, _ in COUNTRIES])
COUNTRY_LANGUAGE = np.array([LANGUAGES.index(language) for _, _, _, language in COUNTRIES])

_PER_COUNTRY = ("residential", "residential", "residential", "mobile", "business")
HOSTINGS = 14
CAMPUSES = 24


@dataclass(frozen=True)
class Client:
    """A program that speaks to the interface: user agents by version (days of release), and its TLS fingerprint."""

    agent: str
    versions: tuple[str, ...]
    ja4: str
    share: float
    cached: bool = True


# Fingerprints have JA4's form (FoxIO: protocol, version, counts, two truncated hashes); their hashes are invented.
_PYTHON = "t13d1812h1_5f0c81d3a9e2_7b1e94c0d2f6"
_NODE = "t13d5911h1_c4417e02b8da_90ad3e6f15b7"
_GO = "t13d1516h2_1d9a60b7e34c_e2c85f7a6013"
CLIENTS = (
    Client("aster-python/{}", ("3.8.0", "3.8.1", "3.9.0", "3.9.1", "3.10.0"), _PYTHON, 30),
    Client("aster-node/{}", ("2.14.2", "2.15.0", "2.15.1", "2.16.0"), _NODE, 18),
    Client("python-httpx/{}", ("0.27.2", "0.28.0", "0.28.1"), _PYTHON, 8, cached=False),
    Client(
        "python-requests/{}", ("2.31.0", "2.32.3", "2.32.5"), "t13d1812h1_5f0c81d3a9e2_3da6b1f70e48", 10, cached=False
    ),
    Client("axios/{}", ("1.7.9", "1.8.1", "1.9.0"), _NODE, 7),
    Client("Go-http-client/{}", ("1.1", "2.0"), _GO, 5),
    Client("chainwork-python/{}", ("0.9.3", "0.9.4", "0.10.0"), _PYTHON, 9),
    Client("okhttp/{}", ("4.12.0", "5.0.0"), "t13d1613h2_82b7f1e6c059_44d0c9a7be12", 3),
    Client("curl/{}", ("8.5.0", "8.9.1"), "t13d3112h2_b61f0a92d7c5_3da6b1f70e48", 2, cached=False),
    Client("aiohttp/{}", ("3.10.11", "3.11.2"), "t13d181100_5f0c81d3a9e2_7b1e94c0d2f6", 3, cached=False),
    Client("aster-java/{}", ("1.6.0", "1.7.0", "1.7.1"), "t13d4312h2_0e5d7c18f3ab_a1948be07d36", 5),
    # applications bring their own
    Client("quill-desktop/{} chrome/141", ("5.2", "5.3"), "t13d1515h2_6fd1204ab9c8_5be2708c1d94", 0),
    Client("harbor-editor/{} node/22", ("1.88", "1.89", "1.90"), _NODE, 0),
    Client("fern-mobile/{} okhttp/4.12", ("12.1", "12.4"), "t13d1613h2_82b7f1e6c059_44d0c9a7be12", 0),
)
CLIENT_SHARES = np.array([client.share for client in CLIENTS])
APPLICATION_CLIENTS = (11, 12, 13)
_RELEASED = 9.0
"""Days between two versions of a client."""


def client_columns(clients: Array, lag: Array, day: Array) -> tuple[pa.Array, pa.Array]:
    """User agent and JA4 of events: the version that was current `lag` days before, or the oldest."""
    texts: list[str] = []
    first, counts = [], []
    for client in CLIENTS:
        first.append(len(texts))
        counts.append(len(client.versions))
        texts += [client.agent.format(version) for version in client.versions]
    counts_ = np.array(counts)[clients]
    # the last but one version is current at day 0
    version = np.floor((day - lag) / _RELEASED).astype(int) + counts_ - 2
    chosen = np.array(first)[clients] + np.clip(version, 0, counts_ - 1)
    agents = pa.array(texts).take(pa.array(chosen))
    return agents, pa.array([client.ja4 for client in CLIENTS]).take(pa.array(clients.astype(np.int64)))


class Networks:
    """The networks of a world: kind, country, system number, and blocks of addresses."""

    def __init__(self, seed: int) -> None:
        kinds, country = [], []
        for c in range(len(COUNTRIES)):
            for kind in _PER_COUNTRY:
                kinds.append(kind)
                country.append(c)
        rng = np.random.default_rng([seed & 0x7FFFFFFF, 77])
        for _ in range(HOSTINGS):
            kinds.append("hosting")
            country.append(int(rng.choice([0, 0, 0, 8, 22, 1, 6, 18, 11])))
        for _ in range(CAMPUSES):
            kinds.append("campus")
            country.append(int(rng.integers(len(COUNTRIES))))
        total = len(kinds)
        number = rng.permutation(np.concatenate([np.arange(64512, 64900), 4200000000 + np.arange(400)]))[:total]
        self.kinds, self.country, self.asn = np.array(kinds), np.array(country), number.astype(np.int64)
        # each network has 16 blocks /16 of 240.0.0.0/4 and one /40 of 2001:db8::/32
        self.blocks = rng.permutation(4096)[: total * 16].reshape(total, 16)
        self.six = rng.permutation(256)[:total]
        self.hosting = np.flatnonzero(self.kinds == "hosting")
        self.campus = np.flatnonzero(self.kinds == "campus")

    def of(self, country: Array, kind: str, bits: Array) -> Array:
        """A network of that kind (residential, mobile, business) in each country."""
        base = country * len(_PER_COUNTRY)
        if kind == "residential":
            return np.asarray(base + (bits % np.uint64(3)).astype(int))
        return np.asarray(base + (3 if kind == "mobile" else 4))

    def texts(self, network: Array, bits: Array) -> pa.Array:
        """Addresses as text: a function of network and 64 random bits; a third of home addresses are IPv6."""
        pairs = np.stack([network.astype(np.uint64), bits], axis=1)
        unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
        net, seed = unique[:, 0].astype(int), unique[:, 1]
        more = mix(seed)
        homes = np.isin(self.kinds[net], ("residential", "mobile"))
        six = homes & (seed % np.uint64(3) == 0)
        block = self.blocks[net, (more % np.uint64(16)).astype(int)].astype(np.uint64)
        host = (more >> np.uint64(8)) % np.uint64(65536)
        # .0 and .255 are not hosts
        low = np.clip(host & np.uint64(255), np.uint64(1), np.uint64(254))
        four = (np.uint64(0xF0000000) | (block << np.uint64(16))) + (host & np.uint64(0xFF00)) + low
        subnet = (self.six[net].astype(np.uint64) << np.uint64(24)) | ((more >> np.uint64(24)) & np.uint64(0xFFFFFF))
        names = []
        for is_six, v4, top, tail in zip(six.tolist(), four.tolist(), subnet.tolist(), mix(more).tolist(), strict=True):
            if is_six:
                # 2001:db8 + network (8 bits) + customer (24 bits) + interface
                names.append(str(ipaddress.IPv6Address((0x20010DB8 << 96) | (top << 64) | tail)))
            else:
                names.append(str(ipaddress.IPv4Address(v4)))
        return pa.array(names).take(pa.array(inverse.reshape(-1)))


def cloud_addresses(seed: int, networks: Networks, count: int) -> tuple[Array, Array]:
    """Network and bits of the shared cloud egress addresses."""
    bits = draw(seed, "cloud", np.arange(count))
    return networks.hosting[(bits % np.uint64(len(networks.hosting))).astype(int)], bits
