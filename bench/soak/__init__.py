"""A soak: mixed traffic against the program that `make serve` runs, which must give back everything that it took."""
