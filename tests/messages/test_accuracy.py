"""Float32 against float64 over a hundred thousand frames, the length of an hour's recording.

Both get the same float32 numbers, so that only rounding inside the sweeps is judged. Errors do
not grow with T: messages are normalized, or contract, at every frame.
"""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from oracles.chains import sticky_chain
from oracles.gaussian_chains import switching_chain
from syllabary.messages import hmm, lds

FRAMES = 100_000


def both(arrays):
    """The same numbers in float32 and in float64."""
    single = [part.astype(np.float32) for part in arrays]
    return single, [part.astype(np.float64) for part in single]


@pytest.mark.parametrize(
    ("K", "stay", "separation"),
    [
        (25, 0.95, 1.0),  # states overlap: a fifth of the frames are uncertain
        (50, 0.97, 6.0),  # neighbors are tens of nats apart
        (50, 0.97, 20.0),  # and a thousand, where most of a message underflows
    ],
)
def test_float32_states_are_within_1e_5(K, stay, separation, rng):
    initial, transition, evidence = sticky_chain(rng, FRAMES, K, stay=stay, separation=separation)
    (short,), (long,) = both([evidence])
    single = hmm.marginals(initial, transition, short)
    double = hmm.marginals(initial, transition, long)
    assert single.states.dtype == torch.float32
    # Seen: 7e-7 at most.
    assert_allclose(single.states, double.states, rtol=0, atol=1e-5)
    # Seen: 7e-9 of a step per frame; 3e-9 relative.
    assert_allclose(single.transitions / FRAMES, double.transitions / FRAMES, rtol=0, atol=1e-7)
    assert_allclose(single.log_normalizer, double.log_normalizer, rtol=1e-7)
    # A sum of evidence, all of one sign here, and what is left of it: nats per frame.
    entropies = [
        hmm.entropy(value, initial, transition, observed) / FRAMES
        for value, observed in ((single, short), (double, long))
    ]
    assert_allclose(*entropies, rtol=0, atol=1e-5)


@pytest.mark.parametrize("noise", [1e-2, 1e-3])
def test_float32_latents_are_within_1e_5(noise, rng):
    """A switching system near the identity, latents of variance 1, evidence of 100 to 1000."""
    short, long = both(switching_chain(rng, FRAMES, 10, noise=noise))
    single, double = lds.marginals(*short), lds.marginals(*long)
    assert single.means.dtype == single.covariances.dtype == torch.float32
    # Seen: 3e-6 at latents up to 4.3, which is one part in 10^4 of their posterior deviation.
    assert_allclose(single.means, double.means, rtol=0, atol=1e-5)
    # Relative to the largest entry of each frame. Seen: 1e-6.
    for name in ("covariances", "cross"):
        value, other = getattr(single, name), getattr(double, name)
        scale = double.covariances[: len(other)].abs().amax((-2, -1))
        assert float(((value - other).abs().amax((-2, -1)) / scale).max()) < 1e-5, name
    # Seen: 3e-8 and 3e-9.
    assert_allclose(single.log_normalizer, double.log_normalizer, rtol=1e-6)
    assert_allclose(single.entropy, double.entropy, rtol=1e-7)
    sums, exact = lds.marginals(*short, keep="sums"), lds.marginals(*long, keep="sums")
    assert_allclose(sums.means, single.means, rtol=0, atol=1e-5)
    for value, other in zip(sums.sums, exact.sums, strict=True):
        # Seen: 2e-7 for the first frame, 7e-8 for sums.
        assert_allclose(value, other, rtol=0, atol=1e-6 * float(other.abs().max()))


def test_where_frames_are_missing_passes_lose_no_more_than_the_rounding_of_their_input(rng):
    """Nine frames in ten unseen: a latent hangs on differences of blocks that nearly cancel.

    float32 potentials are then an answer's limit, whatever is done with them: rounding J moves
    the means by 1e-4.
    """
    chain = switching_chain(rng, FRAMES, 10, missing=0.9)
    short, long = both(chain)
    single, double, unrounded = (lds.marginals(*parts) for parts in (short, long, chain))
    for name in ("means", "covariances"):
        result = (getattr(single, name).double() - getattr(double, name)).abs().max()
        inputs = (getattr(double, name) - getattr(unrounded, name)).abs().max()
        # Seen: 0.6 of it, for both.
        assert result < 3 * inputs, name
    # Seen: 7e-5 and 3e-5.
    assert_allclose(single.means, double.means, rtol=0, atol=5e-4)
    scale = double.covariances.abs().amax((-2, -1))
    error = (single.covariances - double.covariances).abs().amax((-2, -1)) / scale
    assert float(error.max()) < 2e-4
