"""Certificates: read from their files and read anew when those change, and what a client's one proves.

It knows no listener: both take from here what they show to new connections.
"""

from .context import Room
from .identity import AuthContext, auth_context
from .material import Material
from .reloader import CertificateReloader

__all__ = ["AuthContext", "CertificateReloader", "Material", "Room", "auth_context"]
