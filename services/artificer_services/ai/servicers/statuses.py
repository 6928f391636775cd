"""The statuses of the AI services' errors."""

from __future__ import annotations

from ...kit.statuses import Statuses

STATUSES = Statuses("ai.artificer")
