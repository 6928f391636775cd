"""The settings of models: tables by name, of several kinds, in which every mistake stops the start and is named."""

from __future__ import annotations

from typing import Any

import pytest

from artificer_services.ai.models.catalog import Models
from artificer_services.ai.settings import AiSettings
from artificer_services.kit.settings import InvalidSetting, read_table
from diptych.settings.errors import SettingError

SECRET = "sk-not-to-be-seen"
UPSTREAM = {"kind": "upstream", "base_url": "http://127.0.0.1:9/v1", "api_key": SECRET}


def read(**values: Any) -> AiSettings:
    return read_table(values, "services.ai", AiSettings)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({**UPSTREAM, "api_kye": SECRET}, "x.api_kye: there is no such setting; did you mean"),
        ({"kind": "local", "base_url": "http://a"}, "x.base_url: there is no such setting"),
        ({"kind": "local", "concurrency": "0"}, "x.concurrency: concurrency must be positive"),
        ({"kind": "local", "concurrency": "many"}, "x.concurrency: expected a whole number"),
        ({"kind": "local", "queue_seconds": "inf"}, "x.queue_seconds: expected a finite number"),
        ({"kind": "local", "prices": {"inptu": 1}}, "x.prices.inptu: there is no such setting"),
        ({"kind": "local", "prices": {"input": -1}}, "x.prices.input: input must not be negative"),
        ({"kind": "locla"}, "x: 'kind' must be one of 'local', 'upstream', 'scripted', not 'locla'"),
        ({"path": "a.gguf"}, "x: 'kind' is required"),
        ({"kind": "upstream", "api_key": SECRET}, "x.base_url: required, but not set"),
        ({**UPSTREAM, "base_url": "ftp://a"}, "x.base_url: base_url must begin with"),
        ({**UPSTREAM, "base_url": "http://"}, "x.base_url: base_url must have a host"),
        ({**UPSTREAM, "base_url": "http://[::1/v1"}, "x.base_url: base_url must have a host"),
        ({**UPSTREAM, "base_url": "http://a:99999/v1"}, "x.base_url: base_url must have a host"),
        ({"kind": "scripted", "tool_calls": "{oops"}, "x.tool_calls: tool_calls must be JSON such as"),
        ({"kind": "scripted", "tool_calls": '["weather"]'}, "x.tool_calls: tool_calls must be JSON such as"),
        (3, "x: expected a table"),
    ],
)
def test_a_mistake_in_a_models_table_is_named(table: Any, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(chat_models={"x": table})
    assert f"services.ai.chat_models.{message}" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_text_from_the_environment_becomes_numbers() -> None:
    settings = read(chat_models={"x": {**UPSTREAM, "concurrency": "3", "prices": {"input": "0.5"}}})
    model = settings.chat_models["x"]
    assert (model.kind, model.concurrency, model.prices.input) == ("upstream", 3, 0.5)
    assert SECRET not in repr(settings)


def test_the_default_model_must_be_configured() -> None:
    with pytest.raises(SettingError, match=r"default_chat_model must be one of smollm2-135m, not 'gpt'"):
        read(default_chat_model="gpt")


def test_the_default_model_comes_first() -> None:
    tables = {"a": {"kind": "scripted"}, "b": {"kind": "scripted"}}
    models = Models(read(chat_models=tables, default_chat_model="b", embedding_models=tables))
    assert models.chat_names == ("b", "a")
    assert models.chat_info().name == "b"
    assert models.embedding_names == ("a", "b")


async def test_a_path_without_a_file_stops_the_start() -> None:
    models = Models(read(chat_models={"x": {"kind": "local", "path": "/nowhere/x.gguf"}}))
    with pytest.raises(InvalidSetting, match=r"there is no file '/nowhere/x\.gguf'") as caught:
        await models.start()
    assert caught.value.setting == "chat_models.x.path"
