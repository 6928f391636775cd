"""Optical character recognition: Tesseract, its languages, and the pictures that are handed to it."""
