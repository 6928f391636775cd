"""The image service: sizes, formats and orientation of pictures, and what prepares scans for reading.

`build` makes it from settings; the other modules are private.
"""
