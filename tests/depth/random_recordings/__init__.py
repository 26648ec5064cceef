"""Recordings drawn at random, each from one seed, and a judge of what extraction makes of them.

``options.py`` draws what a laboratory's recording may be like, ``film.py`` shows it to the simulator's
camera, ``files.py`` writes it as a recorder would, ``truth.py`` measures the animal by geometry, and
``judge.py`` runs extraction and check with the settings that a careful user knows, and compares.
"""
