"""The settings of models behind other servers."""

from __future__ import annotations

from typing import Any

import pytest

from artificer_services.ai.models.settings import UpstreamChatSettings, UpstreamEmbeddingSettings
from artificer_services.kit.settings import InvalidSetting

URL = "https://models.example.com/@team/v1"


@pytest.mark.parametrize(
    ("fields", "setting"),
    [
        ({"base_url": "models.example.com"}, "base_url"),
        ({"base_url": "https://user:password@models.example.com/v1"}, "base_url"),
        ({"api_key": "key\nwith a line"}, "api_key"),
        ({"timeout": 0}, "timeout"),
        ({"answer_timeout": -1}, "answer_timeout"),
        ({"retries": -1}, "retries"),
        ({"max_answer_bytes": 0}, "max_answer_bytes"),
    ],
)
def test_wrong_settings_are_refused_by_name(fields: dict[str, Any], setting: str) -> None:
    with pytest.raises(InvalidSetting) as raised:
        UpstreamChatSettings(**{"base_url": URL, **fields})
    assert raised.value.setting == setting
    assert "password@" not in str(raised.value)


def test_the_key_is_not_shown() -> None:
    for settings in (
        UpstreamChatSettings(base_url=URL, api_key="abc"),
        UpstreamEmbeddingSettings(base_url=URL, api_key="abc", dimension=3),
    ):
        assert "abc" not in repr(settings)
