"""Which known syllables does each method recover?

In data order: ``studies`` (simulated animals of known syllables), ``latents`` (shared by most
methods: principal components, an autoencoder), ``methods`` (a file per method), ``recover`` (one
method with one setting on one study: a posterior per recording), ``decoding`` (posterior to paths,
also smoothed), ``score`` (paths against the truth), ``table`` (all scores in one file).

A method is a file of ``methods/``. It has ``LATENTS``, the names of the ``latents`` that it reads;
``SETTINGS``, at most eight by name; and ``recover(folder, setting, seed)``, which trains on the
animals with the role ``train`` and returns ``path (T,)`` and ``states (T, K)`` of every recording.
"""
