"""The embedded sources: one small simulated world per scenario.

Each package offers ``episode(seed: int, size: int) -> Episode``
(see :mod:`tpru.simulators.episode`), byte-reproducible for the same seed on the same machine,
without files or network.
"""
