"""The steps of pipelines (`client.orchestration`): one class for each task type of the services (docs/batch-tasks.md).

A step is checked when it is made, as far as that needs no server; the server checks the rest when the job is created.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from .types.batch import Phase
    from .types.image import ImageFormatName, ImageStep

__all__ = [
    "Convert",
    "Embed",
    "Extract",
    "Generate",
    "Index",
    "Normalize",
    "Preprocess",
    "ProcessImage",
    "Searchable",
    "Step",
    "Task",
    "Template",
]

Form = Literal["text", "document", "any"]
"""What a step reads or gives: a text, or a document that is a blob."""


@dataclass(frozen=True)
class Step:
    """One step. `name` is the name of its phase, by which templates of later steps find its output."""

    name: str = field(default="", kw_only=True)

    takes: ClassVar[Form] = "any"
    gives: ClassVar[Form] = "any"
    _task: ClassVar[str] = ""

    def __init_subclass__(cls, task: str, takes: Form, gives: Form) -> None:
        cls._task, cls.takes, cls.gives = task, takes, gives

    def __post_init__(self) -> None:
        for one in fields(self):
            _of_type(one.name, getattr(self, one.name), str(one.type))

    @property
    def task_type(self) -> str:
        """The task type of the services."""
        return self._task

    def phase(self, name: str) -> Phase:
        """Returns the phase of a job that does the step."""
        from .types.batch import Phase, Validation

        settings = {one.name: getattr(self, one.name) for one in fields(self)}
        for known in ("name", "model", "min_score"):
            settings.pop(known, None)
        least = getattr(self, "min_score", None)
        return Phase(
            name=name,
            task_type=self.task_type,
            model=getattr(self, "model", ""),
            use_rag=bool(settings.get("collections")),
            validation=None if least is None else Validation(enabled=True, min_score=least),
            parameters=self._parameters({key: value for key, value in settings.items() if value not in (None, ())}),
        )

    def templates(self) -> list[str]:
        """Returns the templates among its parameters."""
        return []

    def _parameters(self, settings: dict[str, Any]) -> dict[str, str]:
        return {key: _text(value) for key, value in settings.items()}


@dataclass(frozen=True)
class Extract(Step, task="ocr.extract", takes="document", gives="text"):
    """Reads the text of PDF documents and images, by OCR where it is needed; form feeds separate pages."""

    _: KW_ONLY
    languages: Sequence[str] = ()
    dpi: int | None = None
    force: bool | None = None
    min_text_threshold: int | None = None
    keep_invisible_text: bool | None = None
    password: str | None = None
    min_score: float | None = None
    """The lowest mean confidence, from 0 to 1, of an item that does not fail."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _within("dpi", self.dpi, 50, 1200)
        _within("min_text_threshold", self.min_text_threshold, 0)
        _within("min_score", self.min_score, 0, 1)

    def _parameters(self, settings: dict[str, Any]) -> dict[str, str]:
        return super()._parameters(_joined(settings, "languages", "+"))


@dataclass(frozen=True)
class Searchable(Step, task="ocr.searchable", takes="document", gives="document"):
    """Makes PDF documents of documents and images whose text can be searched."""

    _: KW_ONLY
    languages: Sequence[str] = ()
    dpi: int | None = None
    pages: str | None = None
    redo: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _within("dpi", self.dpi, 50, 1200)

    def _parameters(self, settings: dict[str, Any]) -> dict[str, str]:
        return super()._parameters(_joined(settings, "languages", "+"))


@dataclass(frozen=True)
class Convert(Step, task="document.convert", takes="document", gives="any"):
    """Converts documents such as docx, HTML and Markdown. A text format gives a text, another one a blob."""

    to: str = "md"
    _: KW_ONLY
    input_format: str | None = None
    standalone: bool | None = None
    media: Literal["embed", "omit"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of("media", self.media, ("embed", "omit"))


@dataclass(frozen=True)
class ProcessImage(Step, task="image.process", takes="document", gives="document"):
    """Changes images by steps, as `client.images.process` does."""

    steps: Sequence[ImageStep | Mapping[str, Any]] = ()
    _: KW_ONLY
    format: ImageFormatName | None = None
    quality: int | None = None
    lossless: bool | None = None
    keep_metadata: bool | None = None
    background: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _within("quality", self.quality, 1, 100)

    def _parameters(self, settings: dict[str, Any]) -> dict[str, str]:
        from pydantic import ValidationError

        from .types.image import ImageStep

        steps = []
        for number, one in enumerate(settings.pop("steps", ())):
            try:
                step = ImageStep.model_validate(one, extra="forbid")
            except ValidationError as error:
                fault = error.errors()[0]
                place = "".join(f".{part}" for part in fault["loc"])
                text = "there is no such field" if fault["type"] == "extra_forbidden" else fault["msg"]
                raise ValueError(f"steps[{number}]{place}: {text}") from None
            steps.append(step.model_dump(mode="json", by_alias=True, exclude_unset=True))
        return super()._parameters({**settings, **({"steps": json.dumps(steps)} if steps else {})})


@dataclass(frozen=True)
class Preprocess(Step, task="image.preprocess", takes="document", gives="document"):
    """Prepares images of pages for OCR; gives gray PNG files."""

    steps: Sequence[Literal["deskew", "denoise", "binarise"]] = ()
    _: KW_ONLY
    max_angle: float | None = None
    denoise: Literal["median", "means"] | None = None
    binarise: Literal["otsu", "adaptive"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for step in self.steps:
            _one_of("steps", step, ("deskew", "denoise", "binarise"))
        _within("max_angle", self.max_angle, 0.5, 45)
        _one_of("denoise", self.denoise, ("median", "means"))
        _one_of("binarise", self.binarise, ("otsu", "adaptive"))


@dataclass(frozen=True)
class Normalize(Step, task="text.normalize", takes="text", gives="text"):
    """Normalizes text: Unicode, white space, and words that are split at the end of a line."""

    _: KW_ONLY
    form: Literal["NFC", "NFKC"] | None = None
    hyphens: Literal["join", "keep"] | None = None
    lines: Literal["keep", "join"] | None = None
    min_score: float | None = None
    """The lowest share of legible characters, from 0 to 1, of an item that does not fail."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of("form", self.form, ("NFC", "NFKC"))
        _one_of("hyphens", self.hyphens, ("join", "keep"))
        _one_of("lines", self.lines, ("keep", "join"))
        _within("min_score", self.min_score, 0, 1)


@dataclass(frozen=True)
class Template(Step, task="text.template", takes="text", gives="text"):
    """Fills a template with `{{input}}`, `{{item_input}}`, `{{metadata.KEY}}` and `{{outputs.STEP}}`."""

    template: str

    def templates(self) -> list[str]:
        return [self.template]


@dataclass(frozen=True)
class Generate(Step, task="llm.generate", takes="text", gives="text"):
    """Asks a chat model. `prompt` and `system` are templates; without a prompt, the input is the prompt."""

    prompt: str | None = None
    _: KW_ONLY
    system: str | None = None
    model: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    format: Literal["text", "json"] | None = None
    score: str | None = None
    """A JSON pointer to a number from 0 to 1 in a JSON answer, such as `/quality`."""
    min_score: float | None = None
    collections: Sequence[str] = ()
    """Collections whose passages precede the prompt."""
    passages: int | None = None
    query: str | None = None
    """A template of what is looked for in the collections; the input, if it is absent."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _within("temperature", self.temperature, 0, 2)
        _within("max_tokens", self.max_tokens, 1)
        _within("min_score", self.min_score, 0, 1)
        _one_of("format", self.format, ("text", "json"))
        if self.min_score is not None and self.score is None:
            raise ValueError("min_score needs score, which says where the answer has its score")
        if not self.collections and (self.passages is not None or self.query is not None):
            raise ValueError("passages and query need collections")

    def templates(self) -> list[str]:
        return [one for one in (self.prompt, self.system, self.query) if one]

    def _parameters(self, settings: dict[str, Any]) -> dict[str, str]:
        found = super()._parameters(settings)
        return {("collection" if key == "collections" else key): value for key, value in found.items()}


@dataclass(frozen=True)
class Embed(Step, task="embed", takes="text", gives="any"):
    """Makes the vector of a text: a JSON list, base64 of little-endian floats, or a blob of these."""

    _: KW_ONLY
    format: Literal["json", "base64", "blob"] | None = None
    model: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of("format", self.format, ("json", "base64", "blob"))


@dataclass(frozen=True)
class Index(Step, task="rag.index", takes="document", gives="text"):
    """Puts a document, or the `text`, into a collection; gives JSON with the document's id."""

    collection: str
    _: KW_ONLY
    document: str | None = None
    display_name: str | None = None
    filename: str | None = None
    content_type: str | None = None
    text: str | None = None
    """A template, such as `{{outputs.extract}}`: this text is indexed instead of the input."""
    replace: bool | None = None

    def templates(self) -> list[str]:
        every = (self.document, self.display_name, self.filename, self.content_type, self.text)
        return [one for one in every if one]


@dataclass(frozen=True)
class Task(Step, task="", takes="any", gives="any"):
    """A task type of your own, with its parameters."""

    type: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    _: KW_ONLY
    model: str = ""
    min_score: float | None = None

    @property
    def task_type(self) -> str:
        """The task type of the services."""
        return self.type

    def _parameters(self, settings: dict[str, Any]) -> dict[str, str]:
        return dict(self.parameters)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("text", lambda value: isinstance(value, str)),
    "bool": ("True or False", lambda value: isinstance(value, bool)),
    "int": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "Sequence[str]": ("a list of texts", lambda value: _is_list(value) and all(isinstance(one, str) for one in value)),
    "Sequence": ("a list", _is_list),
    "Mapping[str, str]": (
        "a mapping of texts to texts",
        lambda value: (
            isinstance(value, Mapping) and all(isinstance(one, str) for pair in value.items() for one in pair)
        ),
    ),
}
"""What fields are, by their annotations. Those of Literal and of `float` have checks of their own."""


def _of_type(name: str, value: object, annotation: str) -> None:
    if value is None and annotation.endswith(" | None"):
        return
    kind = annotation.removesuffix(" | None")
    known = _TYPES.get(kind) or _TYPES.get(kind.partition("[")[0])
    if known is not None and not known[1](value):
        # A text may be a password.
        raise ValueError(f"{name} must be {known[0]}, not {type(value).__name__ if kind == 'str' else repr(value)}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else ",".join(value) if isinstance(value, Sequence) else str(value)


def _joined(settings: dict[str, Any], name: str, sign: str) -> dict[str, Any]:
    return {key: sign.join(value) if key == name else value for key, value in settings.items()}


def _within(name: str, value: float | None, low: float, high: float | None = None) -> None:
    if value is not None and not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, not {value!r}")
    if value is not None and not (value >= low and (high is None or value <= high)):
        raise ValueError(
            f"{name} must be {f'from {low} to {high}' if high is not None else f'at least {low}'}, not {value}"
        )


def _one_of(name: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
