"""artificer.ocr.v1: the text of images and PDF documents.

`build` makes the servicer from its settings; every other module is private to this package.
"""
