"""Exact tails of sums of independent whole numbers, as far out as one likes.

All tests here come down to one sum: signs of twins, greens of a watermark, ranks of canaries. Its law is known,
since the provider's own key made the randomness. The tail is computed by exponential tilting and a Fourier transform:
the law is tilted until the observed sum is its mean, so that nothing of the tail is lost in rounding, and tilted back.
Esscher (1932); Hirji (2006), chapter 6. The tests hold it against plain convolution in fractions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]

_SPREAD = 16
"""Half width of the transform in standard deviations of the tilted law."""
_NOTHING = -100.0
"""Logarithm of what counts as nothing beside 1 in the transform."""
_LARGEST = 1 << 24


@dataclass(frozen=True)
class Law:
    """A random whole number: its cumulant generating function at complex arguments, and how far it may be tilted."""

    log_mgf: Callable[[Complexes], Complexes]
    most: float = math.inf
    """Largest argument (real part) at which the function is finite."""


def sign() -> Law:
    """-1 or +1, equally likely."""
    return Law(lambda t: _log_mix(0.5, -t, 0.5, t))


def bernoulli(share: float) -> Law:
    """1 with probability `share`, else 0."""
    return Law(lambda t: _log_mix(1 - share, np.zeros_like(t), share, t))


def geometric(ratio: float) -> Law:
    """j = 0, 1, … with probability (1 - ratio) ratio^j."""

    def log_mgf(t: Complexes) -> Complexes:
        return np.log((1 - ratio) / (1 - ratio * np.exp(t)))

    return Law(log_mgf, -math.log(ratio))


def _log_mix(first: float, a: Complexes, second: float, b: Complexes) -> Complexes:
    """log(first e^a + second e^b) without overflow."""
    shift = np.maximum(a.real, b.real)
    out: Complexes = np.log(first * np.exp(a - shift) + second * np.exp(b - shift)) + shift
    return out


def uniform(most: int) -> Law:
    """0, 1, …, `most`, equally likely."""
    values = np.arange(most + 1)

    def log_mgf(t: Complexes) -> Complexes:
        shift = np.where(t.real > 0, most * t, 0)
        out = np.empty(t.shape, complex)
        for part in np.array_split(np.arange(len(t)), max(1, len(t) * (most + 1) >> 22)):
            terms = np.multiply.outer(t[part], values) - shift[part, None]
            out[part] = np.log(np.exp(terms).mean(axis=1))
        return out + shift

    return Law(log_mgf)


def log_tail(law: Law, weights: Sequence[int] | Ints, counts: Sequence[int] | Ints, observed: int) -> float:
    """Natural logarithm of P(sum of weight x X >= observed); `counts[i]` independent X of `law` have `weights[i]`.

    Weights are whole numbers of either sign, not 0. ValueError if the sum's law is too wide for the transform.
    """
    weight, count = np.asarray(weights, dtype=np.int64), np.asarray(counts, dtype=np.int64)
    weight, count = weight[count > 0], count[count > 0]
    if not len(weight):
        return 0.0 if observed <= 0 else -math.inf

    def cumulants(t: Complexes) -> Complexes:
        out = np.zeros(t.shape, complex)
        for k, n in zip(weight.tolist(), count.tolist(), strict=True):
            out += n * law.log_mgf(k * t)
        return out

    tilt = _tilt(law, cumulants, weight, observed)
    mean, deviation = _moments(cumulants, tilt, weight)
    size = 1 << math.ceil(math.log2(2 * _SPREAD * deviation + 64 * int(np.abs(weight).max()) + 64))
    if size > _LARGEST:
        raise ValueError(f"a sum that spreads over {size:,} values: use smaller weights")
    base = cumulants(np.array([tilt + 0j]))[0].real
    center = round(mean)
    wave = _wave(law, weight, count, tilt, size, center)
    mass = np.fft.fftshift(np.fft.irfft(np.conj(wave), size))
    values = center - size // 2 + np.arange(size)
    inside = values >= observed
    total = float((np.maximum(mass[inside], 0) * np.exp(-tilt * (values[inside] - observed))).sum())
    # Chernoff's bound, should rounding leave nothing
    return min(0.0, (math.log(total) if total > 0 else 0.0) + base - tilt * observed)


def _wave(law: Law, weight: Ints, count: Ints, tilt: float, size: int, center: int) -> Complexes:
    """Transform of the tilted law about `center`, at the angles of a real transform of `size`.

    Every weight makes it smaller, and where it is as good as nothing the other weights are not looked at: what is left
    after the first weight is a small part of the angles.
    """
    angle = 2 * np.pi * np.arange(size // 2 + 1) / size
    alive, total = np.arange(len(angle)), np.zeros(len(angle), np.complex128)
    for place in np.argsort(-count * weight.astype(np.float64) ** 2):
        k, n = int(weight[place]), int(count[place])
        start = law.log_mgf(np.array([k * tilt + 0j]))[0]
        total = total + n * (law.log_mgf((k * (tilt + 1j * angle[alive])).astype(np.complex128)) - start)
        keep = total.real > _NOTHING
        alive, total = alive[keep], total[keep]
    wave = np.zeros(len(angle), np.complex128)
    wave[alive] = np.exp(total - 1j * angle[alive] * center)
    return wave


def _tilt(law: Law, cumulants: Callable[[Complexes], Complexes], weight: Ints, observed: int) -> float:
    """Where the tilted mean is the observed sum, or as far as one can go; any value from 0 gives the same tail."""
    most = 40.0 / float(np.abs(weight).max())
    if math.isfinite(law.most):
        # the function is finite for falling weights wherever one goes
        most = min(most, 0.999 * law.most / max(float(weight.max()), 1e-9))

    def bound(t: float) -> float:
        return float(cumulants(np.array([t + 0j]))[0].real - t * observed)

    found = minimize_scalar(bound, bounds=(0.0, most), method="bounded", options={"xatol": 1e-9 * most})
    return float(found.x) if found.fun < 0 else 0.0


def _moments(cumulants: Callable[[Complexes], Complexes], tilt: float, weight: Ints) -> tuple[float, float]:
    """Mean and standard deviation of the tilted sum, by complex and central differences."""
    step = 1e-4 / float(np.abs(weight).max())
    points = np.array([tilt + 1j * step, tilt + 0j, tilt - 1j * step])
    k = cumulants(points)
    mean = float(k[0].imag / step)
    variance = float(-((k[0] - 2 * k[1] + k[2]).real) / step**2)
    return mean, math.sqrt(max(variance, 1e-12))


def log10(value: float) -> float:
    """Natural to decimal logarithm."""
    return value / math.log(10)
