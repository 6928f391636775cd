"""The HTTP face: the FastAPI shell around the transcoder, and uvicorn as its listener.

User routes win over transcoded ones; everything else, errors of FastAPI included, speaks the gateway's error dialect.
It knows no servicer.
"""

from .app import Faces, make_app
from .app.lifespan import Life
from .h2 import Limits
from .listener import HttpListener
from .timeouts import Timeouts

__all__ = ["Faces", "HttpListener", "Life", "Limits", "Timeouts", "make_app"]
