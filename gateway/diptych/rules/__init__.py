"""Converts HttpRules to Bindings: which rules a method has, and what they mean.

It knows no handler and no request. Any error stops the start, unless a setting says what to do instead.
"""

from .binding import Binding, RuleError, bindings
from .book import Dropped, RuleBook

__all__ = ["Binding", "Dropped", "RuleBook", "RuleError", "bindings"]
