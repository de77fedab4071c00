"""MLflow: what stages tell it, kept beside their outputs until a server has it."""
