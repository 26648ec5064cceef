"""Behavioral syllables from depth video of a freely moving mouse.

Data flow one way, and the rooms are listed in that order: ``simulate`` writes raw depth
video of a known mouse, ``depth`` turns raw frames into upright crops, ``svae`` crops into
a posterior, ``syllables`` a posterior into labels, ``export`` and ``figures`` labels into
what programs and people read. ``priors``, ``expfam`` and ``messages`` are the mathematics
below them, ``records`` what the rooms hand to each other. ``steps`` has one function per
rule of the workflow; ``cli`` offers the same steps by hand.

Importing the package does no work.
"""

__version__ = "0.1.0"
