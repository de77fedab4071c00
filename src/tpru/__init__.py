"""tpru: temporal and procedural understanding for vision-language models, as one reproducible DAG."""

__version__ = "0.1.0"
