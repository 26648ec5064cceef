"""Which known syllables does each method recover?

In the order data flow: ``studies`` (simulated animals of known syllables), ``latents`` (what most
methods share: principal components, an autoencoder), ``methods`` (a file a method), ``recover``
(one method with one setting on one study: a posterior per recording), ``decoding`` (posterior to
paths, also smoothed), ``score`` (paths against the truth), ``table`` (all scores in one file).

A method is a file of ``methods/``. It offers ``LATENTS``, names of what it reads of ``latents``;
``SETTINGS``, at most eight by name; and ``recover(folder, setting, seed)``, which trains on the
animals with the role ``train`` and returns ``path (T,)`` and ``states (T, K)`` of every recording.
"""
