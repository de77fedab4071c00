"""Side-by-side measurements; each is a script that prints a ratio."""
