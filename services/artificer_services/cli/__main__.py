"""`python -m artificer_services.cli` is `artificer`."""

from . import main

main()
