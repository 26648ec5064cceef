"""Latents of known states, and the likelihood of an AR-HMM written out step by step."""

import numpy as np
from scipy.stats import multivariate_normal


def draw_dynamics(rng, states, size):
    """Weights (K, D, D), offsets (K, D) and noise (K, D): each state goes round or to a place."""
    weights, offsets, noise = [], [], []
    for _ in range(states):
        turn, _ = np.linalg.qr(rng.standard_normal((size, size)))
        mixed = 0.85 * np.eye(size) + 0.35 * (turn - turn.T) / 2
        weights.append(mixed / max(1.0, np.abs(np.linalg.eigvals(mixed)).max() / 0.97))
        place = 1.2 * rng.standard_normal(size)
        offsets.append((np.eye(size) - weights[-1]) @ place)
        noise.append(rng.uniform(0.08, 0.25, size))
    return np.array(weights), np.array(offsets), np.array(noise)


def draw(rng, dynamics, frames, mean_duration=12.0):
    """Draw one recording: latents (T, D) and states (T,); durations geometric from 3 frames."""
    weights, offsets, noise = dynamics
    count, size = offsets.shape
    states = np.empty(frames, np.int64)
    latents = np.empty((frames, size))
    state, left, x = int(rng.integers(count)), 0, np.zeros(size)
    for t in range(frames):
        if left == 0:
            others = np.delete(np.arange(count), state)
            state = int(rng.choice(others))
            left = 3 + int(rng.geometric(1 / (mean_duration - 3)))
        left -= 1
        x = weights[state] @ x + offsets[state] + noise[state] * rng.standard_normal(size)
        states[t], latents[t] = state, x
    return latents, states


def whiten(recordings):
    """Scale latents as PCA hands them over: mean 0, variance 1 over all frames."""
    joint = np.concatenate(recordings)
    mean, scale = joint.mean(0), joint.std(0)
    return [(x - mean) / scale for x in recordings]


def predict(first, rows, weights, noise, latents, observed, lags):
    """Log p(x_t | x_<t), frame by frame in plain probabilities; 0 where a frame is no evidence."""
    belief, means = first, []
    for t in range(len(latents)):
        if t:
            belief = belief @ rows
        log_density = 0.0
        if t >= lags and observed[t - lags : t + 1].all():
            past = np.append(latents[t - lags : t][::-1].ravel(), 1.0)
            like = [
                multivariate_normal.pdf(latents[t], w @ past, q)
                for w, q in zip(weights, noise, strict=True)
            ]
            joint = belief * np.array(like)
            log_density, belief = np.log(joint.sum()), joint / joint.sum()
        means.append(log_density)
    return np.array(means)
