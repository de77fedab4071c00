"""Schooling of the tiny base: it learns to see and to speak about single moments, never the three tasks."""
