"""The embedded sources: one simulated world per scenario.

Each package offers ``SEEN``, ``UNSEEN`` and ``episode(seed, size, family, look)``
(see :mod:`tpru.simulators.episode`), byte-reproducible for the same arguments on the same machine, without
files or network. ``python -m tpru.simulators.catalogue`` shows all families.
"""
