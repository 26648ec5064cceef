"""What the code itself is held to: words, spelling, sizes, types, docstrings, imports.

Each check is a function of the repository's folder that returns its violations. The tests demand that
there are none; ``python -m repository ROOT FOLDER``, run in ``tests/``, lists those of a folder.
"""
