"""The tests of the documentation: without a Chromium they leave out what the end-to-end tests leave out."""

from tests.e2e.conftest import pytest_collection_modifyitems

__all__ = ["pytest_collection_modifyitems"]
