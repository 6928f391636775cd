"""Streams: how long ones hold memory flat, and what idle and slow clients cost the others."""
