"""Public datasets of dense supervision, one file per format as it lies on the disk.

Each offers ``read(name, config) -> Iterator[Clip]``: the clips of the training side, then those of the test
side, in natural order of their names, one in memory at a time.
"""
