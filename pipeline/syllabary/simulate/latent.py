"""Chains of known parameters, without a mouse: a sticky AR-HMM and a switching linear system.

Both are stable under any switching: the norms of a state's coefficient matrices sum to less
than one. The state of a frame drives the step into that frame.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import BadSetting

__all__ = ["ARHMM", "SLDS", "again", "arhmm", "slds"]

F64 = npt.NDArray[np.float64]


class ARHMM(NamedTuple):
    """Parameters and one draw.

    ``z_t ~ transition[z_{t-1}]`` and ``x_t ~ N(weights[z_t] [x_{t-1}, ..., x_{t-L}, 1], noise[z_t])``;
    the first L frames are drawn around the resting point of their state.
    """

    initial: F64  # (K,)
    transition: F64  # (K, K) from row to column
    weights: F64  # (K, D, L D + 1)
    noise: F64  # (K, D, D)
    z: npt.NDArray[np.int64]  # (T,)
    x: F64  # (T, D)


class SLDS(NamedTuple):
    """Parameters and one draw: an AR-HMM of one lag, observed as ``y_t ~ N(C x_t + d, diag R)``."""

    initial: F64  # (K,)
    transition: F64  # (K, K)
    weights: F64  # (K, D, D + 1)
    noise: F64  # (K, D, D)
    emission: F64  # (N, D), C
    offset: F64  # (N,), d
    emission_noise: F64  # (N,), diagonal of R
    z: npt.NDArray[np.int64]  # (T,)
    x: F64  # (T, D)
    y: F64  # (T, N)


def arhmm(
    rng: np.random.Generator,
    *,
    states: int,
    dims: int,
    lags: int,
    frames: int,
    duration_frames: float,
    memory: float = 0.95,
    spread: float = 1.0,
    noise_sd: float = 0.1,
) -> ARHMM:
    """Draw parameters, then a sequence.

    Parameters
    ----------
    rng : numpy Generator
    states, dims, lags, frames : int
        K, D, L and T.
    duration_frames : float
        Mean length of a bout, at least 1.
    memory : float
        Sum of the norms of a state's coefficients, in [0, 1).
    spread : float
        Standard deviation of the states' resting points.
    noise_sd : float
        Root mean variance of the noise of a dimension.

    Raises
    ------
    BadSetting
        A size is not positive, a duration below 1, or a memory outside [0, 1).
    """
    for name, value in (("states", states), ("dims", dims), ("lags", lags), ("frames", frames)):
        if value < 1:
            raise BadSetting(f"{name} = {value}: a chain needs at least 1.")
    if duration_frames < 1:
        raise BadSetting(f"duration_frames = {duration_frames}: a bout lasts at least 1 frame.")
    if not 0 <= memory < 1:
        raise BadSetting(f"memory = {memory}: must be in [0, 1), or the chain would run away.")
    initial, transition = _switching(rng, states, duration_frames)
    rest = spread * rng.standard_normal((states, dims))
    # The most recent frame counts most; the norms of all lags together are the memory.
    share = memory * 0.5 ** np.arange(lags) / (0.5 ** np.arange(lags)).sum()
    rotations = np.array([[_near_identity(rng, dims) for _ in range(lags)] for _ in range(states)])
    lagged = share[:, None, None] * rotations
    constant = rest - np.einsum("klij,kj->ki", lagged, rest)
    weights = np.concatenate([*np.moveaxis(lagged, 1, 0), constant[..., None]], axis=-1)
    factors = noise_sd * rng.standard_normal((states, dims, dims + 2)) / np.sqrt(dims + 2)
    noise = factors @ factors.swapaxes(-1, -2)
    z = _path(rng, initial, transition, frames)
    x = _follow(rng, z, weights, noise, rest, lags)
    return ARHMM(initial, transition, weights, noise, z, x)


def again(chain: ARHMM, rng: np.random.Generator, frames: int) -> ARHMM:
    """Draw another sequence, of ``frames`` frames, from the parameters of a chain."""
    states, dims, width = chain.weights.shape
    lags = (width - 1) // dims
    pull = np.eye(dims) - chain.weights[..., :-1].reshape(states, dims, lags, dims).sum(2)
    rest = np.linalg.solve(pull, chain.weights[..., -1:])[..., 0]
    z = _path(rng, chain.initial, chain.transition, frames)
    return chain._replace(z=z, x=_follow(rng, z, chain.weights, chain.noise, rest, lags))


def slds(
    rng: np.random.Generator,
    *,
    states: int,
    dims: int,
    outputs: int,
    frames: int,
    duration_frames: float,
    memory: float = 0.95,
    spread: float = 1.0,
    noise_sd: float = 0.1,
    emission_sd: float = 0.1,
) -> SLDS:
    """Draw parameters, then a sequence; arguments as of ``arhmm``.

    Parameters
    ----------
    outputs : int
        N, observed dimensions.
    emission_sd : float
        Root mean variance of the noise of an output.
    """
    if outputs < 1:
        raise BadSetting(f"outputs = {outputs}: something must be observed, at least 1.")
    hidden = arhmm(
        rng,
        states=states,
        dims=dims,
        lags=1,
        frames=frames,
        duration_frames=duration_frames,
        memory=memory,
        spread=spread,
        noise_sd=noise_sd,
    )
    emission = rng.standard_normal((outputs, dims)) / np.sqrt(dims)
    offset = rng.standard_normal(outputs)
    emission_noise = emission_sd**2 * rng.uniform(0.5, 1.5, outputs)
    noise = np.sqrt(emission_noise) * rng.standard_normal((frames, outputs))
    y = hidden.x @ emission.T + offset + noise
    return SLDS(*hidden[:4], emission, offset, emission_noise, hidden.z, hidden.x, y)


def _switching(rng: np.random.Generator, states: int, duration_frames: float) -> tuple[F64, F64]:
    """Uniform start; a bout of every state lasts ``duration_frames`` on average."""
    initial = np.full(states, 1 / states)
    if states == 1:
        return initial, np.ones((1, 1))
    leave = 1 / duration_frames
    transition = (1 - leave) * np.eye(states)
    others = ~np.eye(states, dtype=bool)
    transition[others] = (leave * rng.dirichlet(np.ones(states - 1), states)).ravel()
    return initial, transition


def _near_identity(rng: np.random.Generator, dims: int) -> F64:
    """Random rotation that turns no plane by much more than a quarter."""
    skew = rng.standard_normal((dims, dims)) / np.sqrt(max(dims, 1))
    skew = 0.5 * (skew - skew.T)
    # Cayley's formula: orthogonal for any skew matrix.
    return np.linalg.solve(np.eye(dims) + skew, np.eye(dims) - skew)


def _path(rng: np.random.Generator, initial: F64, transition: F64, frames: int) -> npt.NDArray[np.int64]:
    last = len(initial) - 1
    luck, cumulated = rng.random(frames), transition.cumsum(1)
    z = np.empty(frames, np.int64)
    z[0] = min(np.searchsorted(initial.cumsum(), luck[0], "right"), last)
    for t in range(1, frames):
        z[t] = min(np.searchsorted(cumulated[z[t - 1]], luck[t], "right"), last)
    return z


def _follow(
    rng: np.random.Generator, z: npt.NDArray[np.int64], weights: F64, noise: F64, rest: F64, lags: int
) -> F64:
    dims = rest.shape[1]
    kicks = np.einsum("tij,tj->ti", np.linalg.cholesky(noise)[z], rng.standard_normal((len(z), dims)))
    x = rest[z] + kicks
    for t in range(lags, len(z)):
        past = np.append(x[t - lags : t][::-1].ravel(), 1.0)
        x[t] = weights[z[t]] @ past + kicks[t]
    return x
