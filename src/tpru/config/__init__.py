"""Composition (Hydra) and checking (pydantic) of ``conf/``."""
