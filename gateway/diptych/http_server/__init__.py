"""The HTTP port: a FastAPI application around the faces, and its listener.

User routes win over transcoded ones; all errors, FastAPI's included, use the gateway's error dialect. It knows no
servicer.
"""

from .app import make_app
from .app.dispatch import WholeDispatch
from .app.faces import Faces
from .app.lifespan import LifespanTask
from .h2 import Limits
from .listener import HttpListener
from .timeouts import Timeouts

__all__ = ["Faces", "HttpListener", "LifespanTask", "Limits", "Timeouts", "WholeDispatch", "make_app"]
