"""The conversion service: documents of offices, books and the web, converted between formats by Pandoc.

`build` makes it from settings; the other modules are private.
"""
