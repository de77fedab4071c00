"""One file per source: its configuration in, trajectories out.

Every source offers ``read(config, seed, workers) -> SourceData``. Adding one: README, "Adding a source".
"""
