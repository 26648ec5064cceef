"""Which end of the mouse is the head.

In reading order: ``evidence`` (features of one frame's shape and motion), ``model`` (the small network
that reads the shape, and its weights), ``chain`` (two states per frame, decoded over time), ``decode``
(all together; frames in which the mouse walks train a correction for this animal), ``flips``
(corrections by a person).

The long axis of a body gives its heading up to half a turn. State 0 of a frame means that
the heading is the measured axis angle, state 1 that it is the opposite direction. Evidence is
in nats in favor of state 0.
"""

__all__ = ["chain", "decode", "evidence", "flips", "model"]
