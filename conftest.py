"""The environment of the tests, set before any of them imports grpc."""

from __future__ import annotations

import os

# gRPC's handlers of fork() let its threads go on in the child, which aborts if they meet a descriptor that was closed
# for exec. Tests start programs by fork(), since some run as another user, while channels are open.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
