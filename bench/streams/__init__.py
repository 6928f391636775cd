"""Streams: the memory of long ones, and the cost of idle and slow clients to others."""
