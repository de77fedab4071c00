"""Data that are fetched: from where, how they come to the cache, and which files a source needs of them."""
