"""One Gaussian with the mean and covariance of the mixture over the states.

States that hardly anything speaks for are left out: their shares are lost beside those of others.
"""

from ...compiled import Floats, kernel

__all__ = ["condition", "mix", "spread_out"]


@kernel
def mix(
    active: Floats,
    shares: Floats,
    weights: Floats,
    moments: tuple[Floats, Floats],
    before: tuple[Floats, Floats],
    means: Floats,
    covariance: Floats,
) -> None:
    """Moments of the latents before their frame is seen, averaged over states.

    The latent's own block is Σ_k s_k P_k, and that with earlier ones (Σ_k s_k W_k) P.

    Parameters
    ----------
    active : (n,) int64
        States that count.
    shares : (K,)
    weights : (K, D, L D)
    moments : inner, centers
        As for ``scoring.predict``.
    before : (L D,) and (L D, L D)
        Mean and covariance of the frame before.
    means : (K, L D)
        Receives the mean under every state that counts.
    covariance : (L D, L D)
        Receives the average covariance, in its upper half.
    """
    inner, centers = moments
    mean, spread = before
    size, lanes, width = weights.shape[1], inner.shape[1], len(mean)
    covariance[:size] = 0
    for n in range(len(active)):
        k = active[n]
        g, lane = k // lanes, k % lanes
        for i in range(size):
            means[k, i] = centers[g * size + i, lane]
            for j in range(size):
                covariance[i, j] += shares[k] * inner[(g * size + i) * size + j, lane]
        for b in range(size, width):
            means[k, b] = mean[b - size]
    if weights.shape[2]:
        for i in range(size):
            for a in range(width):
                weight = 0.0
                for n in range(len(active)):
                    weight += shares[active[n]] * weights[active[n], i, a]
                for b in range(size, width):
                    covariance[i, b] += weight * spread[a, b - size]
    for a in range(size, width):
        for b in range(a, width):
            covariance[a, b] = spread[a - size, b - size]


@kernel
def condition(
    k: int,
    share: float,
    frame: tuple[Floats, Floats, Floats],
    weights: Floats,
    moments: tuple[Floats, Floats, Floats, Floats],
    before: Floats,
    begins: bool,
    workspace: tuple[Floats, Floats],
    mean: Floats,
    covariance: Floats,
) -> None:
    """Add what a frame says under one state: m + Sᵀ u, and −s Sᵀ S with S = L⁻¹ Cᵀ [x_t, past].

    Parameters
    ----------
    k : int
        The state.
    share : float
        Its share s.
    frame : root, center, linear
        As for ``scoring.score``.
    weights : (K, D, L D)
    moments : inner, centers, factor, surprise
        As ``scoring`` left them.
    before : (L D, L D)
        Covariance of the frame before; of the first frame itself if ``begins``.
    begins : bool
        Whether this is the first frame, of which no state moved.
    workspace : (D, L D) each
        For the covariance of x_t with all latents, and for S.
    mean : (L D,)
        Mean under this state, updated.
    covariance : (L D, L D)
        Updated in its upper half.
    """
    root, _, linear = frame
    across, gain = workspace
    inner, _, factor, surprise = moments
    size, width, lanes = len(across), len(mean), inner.shape[1]
    g, lane, rank = k // lanes, k % lanes, root.shape[1]
    count = size if rank == 1 else rank
    across[:] = 0
    if begins:
        across[:] = before[:size]
    for i in range(size):
        for j in range(size):
            across[i, j] = inner[(g * size + i) * size + j, lane]
        if width > size and not begins:
            for a in range(width):
                weight = weights[k, i, a]
                for b in range(size, width):
                    across[i, b] += weight * before[a, b - size]
        if linear[i] != 0:
            for b in range(width):
                mean[b] += across[i, b] * linear[i]
    for i in range(count):
        if rank == 1:
            for b in range(width):
                gain[i, b] = root[i, 0] * across[i, b]
        else:
            gain[i] = 0
            for j in range(size):
                for b in range(width):
                    gain[i, b] += root[j, i] * across[j, b]
        for j in range(i):
            entry = factor[(g * size + i) * size + j, lane]
            for b in range(width):
                gain[i, b] -= entry * gain[j, b]
        entry, value = factor[(g * size + i) * size + i, lane], surprise[g * size + i, lane]
        for b in range(width):
            gain[i, b] *= entry
            mean[b] += value * gain[i, b]
    for a in range(width):
        for i in range(count):
            entry = share * gain[i, a]
            for b in range(a, width):
                covariance[a, b] -= entry * gain[i, b]


@kernel
def spread_out(
    active: Floats, shares: Floats, wide: int, means: Floats, mean: Floats, covariance: Floats
) -> None:
    """Average the means, add how they differ in their first ``wide`` entries, and fill the lower half."""
    width = len(mean)
    mean[:] = 0
    for n in range(len(active)):
        for b in range(width):
            mean[b] += shares[active[n]] * means[active[n], b]
    if len(active) > 1:
        for n in range(len(active)):
            k = active[n]
            for a in range(wide):
                entry = shares[k] * (means[k, a] - mean[a])
                for b in range(a, wide):
                    covariance[a, b] += entry * (means[k, b] - mean[b])
    for a in range(width):
        for b in range(a):
            covariance[a, b] = covariance[b, a]
