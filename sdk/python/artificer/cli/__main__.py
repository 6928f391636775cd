"""Runs the `artificer` command as `python -m artificer.cli`."""

from . import main

main()
