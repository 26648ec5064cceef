"""Every recursion in plain torch float64, each on one screen: the mathematics that runs.

Read this file, and ``filter_reference``, to learn what ``cpu`` and ``cuda`` compute. It takes one
sequence and one frame at a time, in logs for discrete chains and by block elimination for Gaussian
ones. The arguments are those that ``messages.backends`` lists.

Notation: π initial, P transition, b_t = exp(evidence_t); a_t filtered, w_t smoothed probabilities.
J, h precision and precision times mean; m_t, P_t⁻¹ filtered, μ_t, S_t smoothed mean and covariance.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .filter_reference import switching_filter

__all__ = [
    "add_products",
    "ar_log_likelihood",
    "available",
    "hmm_marginals",
    "hmm_path",
    "hmm_sample",
    "hmm_tangent",
    "lds_marginals",
    "lds_sample",
    "lds_tangent",
    "switching_filter",
    "weighted_moments",
]


def available() -> bool:
    """Return True: every machine can run the functions."""
    return True


# Discrete chains: forward-backward, Viterbi, and forward filtering with backward sampling.


def hmm_marginals(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    keep: str,
    states: Tensor | None,
    filtered: Tensor | None,
    transitions: Tensor | None,
    first: Tensor | None,
    log_scales: Tensor,
    fault: Tensor,
) -> None:
    """Forward-backward in logs; see ``messages.hmm.marginals``.

    β_T = 1,  β_t(j) = Σ_k P(j, k) b_{t+1}(k) β_{t+1}(k) / c_{t+1},  w_t = a_t β_t,
    and a pair has probability a_t(j) P(j, k) b_{t+1}(k) β_{t+1}(k) / c_{t+1}.
    """
    for i, start, step, log_b in _discrete(initial, transition, evidence, lengths):
        frames, size = log_b.shape
        log_a, log_c, fault[i] = _forward(start, step, log_b)
        log_scales[i, :frames] = log_c
        if fault[i] >= 0:
            continue
        if filtered is not None:
            filtered[i, :frames] = log_a.exp()
        log_w = log_a.clone()
        if keep != "filter":
            log_beta, pairs = log_b.new_zeros(size), log_b.new_zeros(size, size)
            for t in range(frames - 2, -1, -1):
                onward = step + log_b[t + 1] + log_beta - log_c[t + 1]
                pairs += (log_a[t][:, None] + onward).exp()
                log_beta = onward.logsumexp(1)
                log_w[t] = log_a[t] + log_beta
            assert transitions is not None and first is not None
            transitions[i], first[i] = pairs, log_w[0].exp()
        if states is not None:
            states[i, :frames] = log_w.exp()


def _forward(start: Tensor, step: Tensor, log_b: Tensor) -> tuple[Tensor, Tensor, int]:
    """Filter: log a_t (T, K), log c_t (T), and the frame at which no state is possible, or −1.

    c_1 a_1 = π b_1,  c_{t+1} a_{t+1}(k) = Σ_j a_t(j) P(j, k) b_{t+1}(k),  and Σ_k a_t(k) = 1.
    """
    log_a, log_c = torch.empty_like(log_b), log_b.new_zeros(len(log_b))
    predicted = start
    for t in range(len(log_b)):
        joint = predicted + log_b[t]
        log_c[t] = joint.logsumexp(0)
        if not log_c[t].isfinite():
            return log_a, log_c, t
        log_a[t] = joint - log_c[t]
        predicted = (log_a[t][:, None] + step).logsumexp(0)
    return log_a, log_c, -1


def hmm_tangent(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    filtered: Tensor,
    states: Tensor,
    direction: Tensor,
    lengths: Tensor,
    d_states: Tensor,
    d_transitions: Tensor,
) -> None:
    """Derivative of marginals and pair sums along dl; see ``messages.hmm.tangent``.

    Given all frames the states are a Markov chain in both directions: B_t(j | k) leads back from k at
    t + 1 to j at t, F_t(k | j) leads on. The log messages change by averages over where they come from:

    f_1 = dl_1,  f_{t+1}(k) = dl_{t+1}(k) + Σ_j B_t(j | k) f_t(j),
    h_T = dl_T,  h_t(j) = dl_t(j) + Σ_k F_t(k | j) h_{t+1}(k),

    each less its mean under w_t. So d log w_t = f_t + h_t − dl_t, less its mean, and the pair
    w_t(j) F_t(k | j) changes by itself times f_t(j) + h_{t+1}(k). ``filtered`` has lost what
    underflowed, and is not used.
    """
    for i, start, step, log_b in _discrete(initial, transition, evidence, lengths):
        frames, size = log_b.shape
        dl, w = direction[i, :frames].double(), states[i, :frames].double()
        log_a, _, _ = _forward(start, step, log_b)
        f, h = dl.clone(), dl.clone()
        for t in range(frames):
            if t > 0:
                back = (log_a[t - 1][:, None] + step).softmax(0).nan_to_num()  # NaN: k is impossible
                f[t] += (back * f[t - 1][:, None]).sum(0)
            f[t] -= (w[t] * f[t]).sum()
        log_beta, pairs = log_b.new_zeros(size), log_b.new_zeros(size, size)
        for t in range(frames - 1, -1, -1):
            if t + 1 < frames:
                log_onward = step + log_b[t + 1] + log_beta
                onward = log_onward.softmax(1).nan_to_num()  # NaN: j is impossible
                h[t] += onward @ h[t + 1]
                pairs += w[t][:, None] * onward * (f[t][:, None] + h[t + 1])
                log_beta = log_onward.logsumexp(1)
                log_beta = log_beta - log_beta.max()
            h[t] -= (w[t] * h[t]).sum()
        change = f + h - dl
        d_states[i, :frames] = w * (change - (w * change).sum(1, keepdim=True))
        d_transitions[i] = pairs


def hmm_path(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    path: Tensor,
    fault: Tensor,
) -> None:
    """Viterbi: the best score of a path into each state, and the state it came from.

    v_1 = log π + l_1,  v_{t+1}(k) = max_j (v_t(j) + log P(j, k)) + l_{t+1}(k).
    """
    for i, start, step, log_b in _discrete(initial, transition, evidence, lengths):
        scores, origins = start + log_b[0], []
        for t in range(len(log_b)):
            if t > 0:
                best, origin = (scores[:, None] + step).max(0)
                origins.append(origin)
                scores = best + log_b[t]
            if not scores.max().isfinite():
                fault[i] = t
                break
        else:
            state = int(scores.argmax())
            path[i, len(log_b) - 1] = state
            for t in range(len(log_b) - 2, -1, -1):
                state = int(origins[t][state])
                path[i, t] = state


def hmm_sample(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    uniform: Tensor,
    path: Tensor,
    fault: Tensor,
) -> None:
    """Forward filtering, backward sampling: P(z_t = j | z_{t+1} = k) ∝ a_t(j) P(j, k).

    The state is the first at which the running sum of probabilities passes ``uniform``.
    """
    for i, start, step, log_b in _discrete(initial, transition, evidence, lengths):
        log_a, _, fault[i] = _forward(start, step, log_b)
        if fault[i] >= 0:
            continue
        scores = log_a[-1]
        for t in range(len(log_b) - 1, -1, -1):
            running = scores.softmax(0).cumsum(0)
            state = int(torch.searchsorted(running, uniform[i, t] * running[-1], right=True))
            path[i, t] = state
            if t > 0:
                scores = log_a[t - 1] + step[:, state]


# Gaussian chains: block elimination of a block-tridiagonal precision, J = U P Uᵀ.


def lds_marginals(
    precision: Tensor,
    lower: Tensor,
    precision_mean: Tensor,
    lengths: Tensor,
    keep: str,
    means: Tensor,
    covariances: Tensor | None,
    cross: Tensor | None,
    filtered: Tensor | None,
    gain: Tensor | None,
    sums: Tensor | None,
    totals: Tensor,
    fault: Tensor,
) -> None:
    """Filter and smooth in information form; see ``messages.lds.marginals``.

    μ_T = m_T,  μ_t = m_t − W_tᵀ μ_{t+1};  S_T = P_T⁻¹,  S_t = P_t⁻¹ + W_tᵀ S_{t+1} W_t,
    and Cov(x_{t+1}, x_t) = −S_{t+1} W_t.
    """
    for i, *chain in _gaussian(precision, lower, precision_mean, lengths):
        mean, spread, weights, fault[i], totals[i] = _eliminate(*chain)
        frames = len(mean)
        if fault[i] >= 0:
            continue
        if filtered is not None and gain is not None:
            filtered[i, :frames], gain[i, : frames - 1] = spread, weights
        pairs = torch.empty_like(weights)
        if keep != "filter":
            for t in range(frames - 2, -1, -1):
                mean[t] -= weights[t].mT @ mean[t + 1]
                pairs[t] = -spread[t + 1] @ weights[t]
                spread[t] -= weights[t].mT @ pairs[t]
        means[i, :frames] = mean
        if covariances is not None:
            covariances[i, :frames] = spread
        if cross is not None:
            cross[i, : frames - 1] = pairs
        if sums is not None:
            sums[i] = torch.stack([spread[:-1].sum(0), spread[1:].sum(0), pairs.sum(0), spread[0]])


def _eliminate(
    precision: Tensor, lower: Tensor, precision_mean: Tensor
) -> tuple[Tensor, Tensor, Tensor, int, Tensor]:
    """Sum frames out from the first to the last.

    P_1 = J_11,  W_t = J_{t+1,t} P_t⁻¹,  P_{t+1} = J_{t+1,t+1} − W_t J_{t+1,t}ᵀ,
    v_1 = h_1,  v_{t+1} = h_{t+1} − J_{t+1,t} m_t,  P_t m_t = v_t.

    Returns
    -------
    (T, D), (T, D, D), (T - 1, D, D), int and (2)
        m_t, P_t⁻¹, W_t; the frame whose P_t is not positive definite, or −1; h·J⁻¹h = Σ v_t·m_t and
        log |J| = Σ log |P_t|.
    """
    mean, spread, weights = (torch.zeros_like(part) for part in (precision_mean, precision, lower))
    totals = mean.new_zeros(2)
    for t in range(len(mean)):
        matrix, vector = precision[t], precision_mean[t]
        if t > 0:
            weights[t - 1] = lower[t - 1] @ spread[t - 1]
            matrix = matrix - weights[t - 1] @ lower[t - 1].mT
            vector = vector - lower[t - 1] @ mean[t - 1]
        factor, info = torch.linalg.cholesky_ex(matrix)  # of the lower half
        spread[t] = torch.cholesky_inverse(factor)
        mean[t] = spread[t] @ vector
        totals += torch.stack([vector @ mean[t], 2 * factor.diagonal().log().sum()])
        if info > 0 or not totals.isfinite().all():
            return mean, spread, weights, t, totals
    return mean, spread, weights, -1, totals


def lds_tangent(
    filtered: Tensor,
    gain: Tensor,
    covariances: Tensor,
    d_precision: Tensor,
    d_lower: Tensor,
    centered: Tensor,
    lengths: Tensor,
    d_means: Tensor,
    d_covariances: Tensor,
    d_cross: Tensor,
) -> None:
    """Derivative of the marginals along dJ and c = dh − dJ μ; see ``messages.lds.tangent``.

    Forward, with X = W_t dP_t − dJ_{t+1,t}:  dP_1 = dJ_11,  dW_t = −X P_t⁻¹,
    dP_{t+1} = dJ_{t+1,t+1} + X W_tᵀ − W_t dJ_{t+1,t}ᵀ,  e_1 = c_1,  e_{t+1} = c_{t+1} − W_t e_t.
    Backward, with Y = S_{t+1} dW_t + dS_{t+1} W_t:  dCov(x_{t+1}, x_t) = −Y,
    dS_t = −P_t⁻¹ dP_t P_t⁻¹ + dW_tᵀ S_{t+1} W_t + W_tᵀ Y,  dμ_t = P_t⁻¹ e_t − W_tᵀ dμ_{t+1}.
    """
    for i, length in enumerate(lengths.tolist()):
        if not length:
            continue
        spread, smooth, dJ, c = (
            part[i, :length].double() for part in (filtered, covariances, d_precision, centered)
        )
        weights, dL = (part[i, : length - 1].double() for part in (gain, d_lower))
        dP, e, dW = dJ.clone(), c.clone(), torch.zeros_like(dL)
        for t in range(length - 1):
            X = weights[t] @ dP[t] - dL[t]
            dW[t] = -X @ spread[t]
            dP[t + 1] += X @ weights[t].mT - weights[t] @ dL[t].mT
            e[t + 1] -= weights[t] @ e[t]
        dS, dmu, pairs = -spread @ dP @ spread, (spread @ e[..., None])[..., 0], torch.zeros_like(dL)
        for t in range(length - 2, -1, -1):
            Y = smooth[t + 1] @ dW[t] + dS[t + 1] @ weights[t]
            pairs[t] = -Y
            dS[t] += dW[t].mT @ smooth[t + 1] @ weights[t] + weights[t].mT @ Y
            dmu[t] -= weights[t].mT @ dmu[t + 1]
        d_means[i, :length], d_covariances[i, :length], d_cross[i, : length - 1] = dmu, dS, pairs


def lds_sample(
    precision: Tensor,
    lower: Tensor,
    precision_mean: Tensor,
    lengths: Tensor,
    normals: Tensor,
    samples: Tensor,
    fault: Tensor,
) -> None:
    """Draw frames from the last to the first: x_t = m_t − W_tᵀ x_{t+1} + chol(P_t⁻¹) ε_t."""
    for i, *chain in _gaussian(precision, lower, precision_mean, lengths):
        mean, spread, weights, fault[i], _ = _eliminate(*chain)
        if fault[i] >= 0:
            continue
        drawn, noise = mean, normals[i, : len(mean)].double()
        for t in range(len(mean) - 1, -1, -1):
            drawn[t] += torch.linalg.cholesky(spread[t]) @ noise[t]
            if t + 1 < len(mean):
                drawn[t] -= weights[t].mT @ drawn[t + 1]
        samples[i, : len(mean)] = drawn


def ar_log_likelihood(joint: Tensor, whitener: Tensor, constant: Tensor, log_likelihood: Tensor) -> None:
    """Fill (N, K) ``constant_k − ½ Σ_f (Σ_w joint_nw whitener_wfk)²``."""
    whitened = torch.einsum("nw,wfk->nfk", joint.double(), whitener.double())
    log_likelihood[:] = constant - 0.5 * whitened.square().sum(1)


def add_products(out: Tensor, terms: Sequence[tuple[Tensor, Tensor, tuple[int, int]]]) -> None:
    """Add ``rows_{t+unread} matrix`` to ``out_{t+skipped}`` of every sequence, for all terms."""
    for rows, matrix, (skipped, unread) in terms:
        frames = min(out.shape[1] - skipped, rows.shape[1] - unread)
        out[:, skipped : skipped + frames] += (
            rows[:, unread : unread + frames].double() @ matrix.double()
        )


def weighted_moments(
    joint: Tensor,
    weights: Tensor,
    negligible: float,
    covariances: Tensor | None,
    cross: Tensor | None,
    totals: Tensor,
) -> None:
    """Add ``Σ_t w_tk E[s_t s_tᵀ]``, where s_t has mean ``joint_t``; see ``messages.moments``.

    Of the first D entries of s_t ``covariances`` holds the covariance. With ``cross`` the next D are
    the first of the frame before. No frame is negligible here.
    """
    begin = weights.shape[1] - joint.shape[1]
    for i in range(len(joint)):
        mean, share = joint[i].double(), weights[i, begin:].double()
        moments = mean[:, :, None] * mean[:, None, :]
        if covariances is not None:
            size = covariances.shape[-1]
            moments[:, :size, :size] += covariances[i, begin:]
            if cross is not None:
                moments[:, :size, size : 2 * size] += cross[i]
                moments[:, size : 2 * size, size : 2 * size] += covariances[i, :-1]
        totals += torch.einsum("tk,tij->kij", share, moments)


def _discrete(
    initial: Tensor, transition: Tensor, evidence: Tensor, lengths: Tensor
) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
    """Number and float64 potentials of every sequence that has frames; all may share the first two."""
    for i, length in enumerate(lengths.tolist()):
        if length:
            start, step = initial[i % len(initial)], transition[i % len(transition)]
            yield i, start.double(), step.double(), evidence[i, :length].double()


def _gaussian(
    precision: Tensor, lower: Tensor, precision_mean: Tensor, lengths: Tensor
) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
    """Number and float64 potentials of every sequence that has frames."""
    for i, length in enumerate(lengths.tolist()):
        if length:
            J, L, h = precision[i, :length], lower[i, : length - 1], precision_mean[i, :length]
            yield i, J.double(), L.double(), h.double()
