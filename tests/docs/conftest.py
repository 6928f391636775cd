"""The tests of the documentation: without a Chromium they deselect the same tests as the end-to-end tests."""

from tests.e2e.conftest import pytest_collection_modifyitems

__all__ = ["pytest_collection_modifyitems"]
