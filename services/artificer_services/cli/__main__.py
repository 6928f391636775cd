"""Runs the `artificer` command as `python -m artificer_services.cli`."""

from . import main

main()
