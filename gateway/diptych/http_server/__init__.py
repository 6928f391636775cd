"""The HTTP face: the FastAPI shell around the transcoder, and uvicorn as its listener.

User routes win over transcoded ones; everything else, errors of FastAPI included, speaks the gateway's error dialect.
It knows no servicer.
"""

from .h2 import Limits
from .life import Life
from .listener import HttpListener
from .patience import Patience
from .shell import make_app

__all__ = ["HttpListener", "Life", "Limits", "Patience", "make_app"]
