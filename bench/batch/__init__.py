"""The speed of batch jobs compared with common alternatives, and the cost of a job with a million items."""
