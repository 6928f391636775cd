"""`python -m diptych.cli` is `diptych`."""

from . import main

main()
