"""Behavioral syllables from depth video of a freely moving mouse.

Data flow one way, and the packages are listed in that order. ``simulate`` writes raw depth video of
a mouse whose syllables are known. ``depth`` turns raw frames into upright crops, ``reduction``
turns crops into latents, ``svae`` turns latents into a posterior, and ``syllables`` turns a
posterior into labels. ``export`` and ``figures`` write results for programs and people. ``priors``,
``expfam`` and ``messages`` are the mathematics, and ``records`` are the data that these packages
exchange. ``steps`` has one function for each rule of the workflow; ``cli`` offers the same steps by
hand.

Importing the package does no work.
"""

__version__ = "0.1.0"
