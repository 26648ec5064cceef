"""Methods that are compared: a file a method, and ``_points``, which several of them are made of."""
