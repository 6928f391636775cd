"""How fast jobs are run, beside the ways people run them otherwise, and what a job of a million items costs."""
