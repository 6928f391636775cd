"""Commands for every method of the SDK's resources, made from their signatures and docstrings."""
