"""Settings of each network, apart from it: a study is checked without importing the mathematics.

A file has the name of its network, and ``Settings``. A network without a file here offers them itself.
"""

SHARED: tuple[str, ...] = ()

__all__ = ["SHARED"]
