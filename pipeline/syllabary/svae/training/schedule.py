"""How fast networks learn, step by step."""

import math

__all__ = ["learning_rate"]

WARM_UP_STEPS = 200
LAST_RATE = 0.01


def learning_rate(step: int, total: int) -> float:
    """Share of the learning rate: a rise, then a cosine down to a hundredth."""
    rise = min(WARM_UP_STEPS, max(1, total // 10))
    if step < rise:
        return (step + 1) / rise
    fall = (step - rise) / max(1, total - rise)
    return LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, fall)))
