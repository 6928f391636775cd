"""The registry of task types: built-in ones, those of plugins, and broken plugins."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.tasks import registry
from artificer_services.batch.tasks.api import Rejected, TaskError
from diptych.settings.errors import SettingError

from .works import ItemWork, phase

FILES = ["document.convert", "image.preprocess", "image.process", "ocr.extract", "ocr.searchable", "rag.index"]
BUILT_IN = sorted([*FILES, "embed", "llm.generate", "text.normalize", "text.template"])

PLUGIN = '''
class Refusal(Exception):
    """A task type of a package that does not import the service."""

    def __init__(self, message, final):
        super().__init__(message)
        self.message, self.final, self.tokens = message, final, 7


class Shout:
    name = "plug.shout"
    description = "Shouts."

    def check(self, phase):
        return [("model", "no")] if phase.model else []

    def run(self, work):
        if work.input in ("never", "later"):
            raise Refusal(work.input, work.input == "never")
        if work.input == "boom":
            raise RuntimeError("boom")
        return 5 if work.input == "five" else work.input.upper()

    def close(self):
        pass


class Nameless(Shout):
    name = "plug.other"


def shout(settings):
    return Shout()


def misnamed(settings):
    return Nameless()


def not_a_task(settings):
    return object()


def crashes(settings):
    raise RuntimeError("no such thing")


def picky(settings):
    raise ValueError("volume must be positive")
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Installs a package with task types, laid out as by pip."""

    def package(module: str, *points: str, source: str = PLUGIN) -> None:
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(("[artificer.batch.tasks]", *points)))

    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for module in [name for name, found in sys.modules.items() if str(tmp_path) in str(getattr(found, "__file__", ""))]:
        del sys.modules[module]


def test_the_service_has_built_in_task_types() -> None:
    tasks = registry.load(BatchSettings())
    assert list(tasks) == BUILT_IN
    assert all(task.name == name and task.description.endswith(".") for name, task in tasks.items())
    assert [name for name, task in tasks.items() if task.takes == "document"] == FILES
    assert {name for name, task in tasks.items() if task.scored} == {"llm.generate", "ocr.extract", "text.normalize"}
    for task in tasks.values():
        task.close()


def test_the_trial_task_is_registered_only_by_setting() -> None:
    assert "test.trial" in registry.load(BatchSettings(trial_tasks=True))


def test_a_gateway_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from artificer_services.batch.settings import BatchSettings\n"
        "from artificer_services.batch.tasks.registry import load\n"
        "from artificer_services.batch.tasks.api import PhaseView\n"
        "for task in load(BatchSettings()).values():\n"
        "    task.check(PhaseView(name='p', task_type=task.name))\n"
        "heavy = {'cv2', 'numpy', 'PIL', 'openai', 'httpx2', 'grpc', 'tesserocr', 'pymupdf'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_a_plugin_need_not_import_the_service(install: object) -> None:
    install("plug", "plug.shout = plug:shout")  # type: ignore[operator]
    task = registry.load(BatchSettings())["plug.shout"]
    assert (task.description, task.scored, task.takes, task.timeout) == ("Shouts.", False, "text", None)
    assert task.check(phase("plug.shout", model="x")) == [("model", "no")]

    def run(text: str) -> str:
        return task.run(ItemWork(input=text, phase=phase("plug.shout"))).text

    assert run("hello") == "HELLO"
    with pytest.raises(Rejected, match="never") as refused:
        run("never")
    assert refused.value.tokens == 7
    with pytest.raises(TaskError, match="later") as failed:
        run("later")
    assert not isinstance(failed.value, Rejected)
    with pytest.raises(RuntimeError, match="boom"):
        run("boom")
    with pytest.raises(TypeError, match="returned int; expected text"):
        run("five")


@pytest.mark.parametrize(
    "point",
    [
        "plug.shout = plug:nothing",
        "plug.shout = no_such_module:shout",
        "plug.shout = plug:crashes",
        "plug.shout = plug:misnamed",
        "plug.shout = plug:not_a_task",
    ],
)
def test_a_broken_plugin_is_logged_and_skipped(install: object, point: str, caplog: pytest.LogCaptureFixture) -> None:
    install("plug", point)  # type: ignore[operator]
    with caplog.at_level(logging.ERROR):
        assert list(registry.load(BatchSettings())) == BUILT_IN
    [record] = caplog.records
    assert "plug.shout" in record.getMessage()
    assert record.exc_info


def test_a_duplicate_name_stops_the_start_and_names_both(install: object) -> None:
    install("plug", "ocr.extract = plug:shout")  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"duplicate task types: .*ocr\.extract = plug:shout"):
        registry.load(BatchSettings())


def test_invalid_settings_of_a_plugin_stop_the_start(install: object) -> None:
    install("plug", "plug.shout = plug:picky")  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"plug\.shout: volume must be positive"):
        registry.load(BatchSettings())


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [
        ({"llm.generate": {"retries": "few"}}, r"services\.batch\.tasks\.llm\.generate\.retries: expected a"),
        (
            {"llm.generate": {"retires": 5}},
            r"llm\.generate\.retires: there is no such setting; did you mean .*retries",
        ),
        ({"llm.generate": {"retries": -1}}, "retries must not be negative"),
        ({"llm.generate": 5}, r"services\.batch\.tasks\.llm\.generate: expected a table"),
        ({"image_preprocess": {"max_pixels": 0}}, "max_pixels must be positive"),
        ({"ocr.extract": {"dpi_cap": -1}}, "dpi_cap must be positive"),
        ({"ocr_extract": {"speed": 1}}, r"ocr\.extract\.speed: there is no such setting"),
        ({"rag": {"passages": 4}}, r"services\.batch\.tasks\.rag\.passages: is gone"),
        ({"rag": {"index": {"retries": -1}}}, "retries must not be negative"),
        ({"llm": {"generate": {"max_prompt_chars": -1}}}, "max_prompt_chars must be positive"),
        ({"embed": {"retries": -1}}, "retries must not be negative"),
        ({"ai": {"chat_model": {}}}, r"services\.ai\.chat_model: there is no such setting"),
        ({"ocr": {"extract": {"dpi_cap": 0}}}, "dpi_cap must be positive"),
        ({"text": 5}, r"services\.batch\.tasks\.text: expected a table"),
        ({"root": 1}, r"services\.batch\.tasks\.root"),
    ],
)
def test_invalid_settings_stop_the_start(tasks: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        registry.load(BatchSettings(tasks=tasks))


def test_a_setting_of_an_unknown_task_stops_the_start() -> None:
    known = {"root": "", "rag": {}, "ai": {}, "llm_generate": {}, "ocr.extract": {}, "text": {"template": {}}}
    assert registry.load(BatchSettings(tasks=known))
    misspelt: list[dict[str, object]] = [
        {"ocr.extrakt": {}},
        {"ocr": {"extrakt": {}}},
        {"ocr_extrakt": {}},
        {"ocr": {"extrakt": 5}},
    ]
    for wrong in misspelt:
        told = r"tasks\.ocr[._]extrakt: there is no such task type; did you mean ocr\.extract\?"
        with pytest.raises(SettingError, match=told):
            registry.load(BatchSettings(tasks=known | wrong))
    told = r"no such task type; expected one of ai, document\.convert, embed, image\.preprocess, image\.process, llm"
    with pytest.raises(SettingError, match=told):
        registry.load(BatchSettings(tasks={"zzz": {}}))
    with pytest.raises(SettingError, match=r"tasks\.llm\.timeout: there is no such task type"):
        registry.load(BatchSettings(tasks={"llm": {"timeout": 5}}))


def test_a_key_is_in_no_message_about_settings() -> None:
    upstream = {"kind": "upstream", "base_url": "https://example.org", "api_key": ["sk-secret"]}
    with pytest.raises(ValueError, match="api_key") as error:
        registry.load(BatchSettings(tasks={"ai": {"chat_models": {"large": upstream}}}))
    assert "sk-secret" not in str(error.value)
