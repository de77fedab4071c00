"""One thin runnable script per rule: config in, files out, run recorded."""
