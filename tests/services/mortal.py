"""A PostgreSQL that tests take away and bring back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.waiting import PATIENCE

# In a separate process: PostgreSQL's programs start as another user, which needs a fork, and a process with gRPC's
# threads cannot fork safely.
_KEEPER = """
import sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")  # of the package's own making, where there is no XDG_RUNTIME_DIR
import pgserver
from pgserver._commands import pg_ctl
folder = Path(sys.argv[1])
server = pgserver.get_server(folder, cleanup_mode="delete")
print(server.get_uri(), flush=True)
for line in sys.stdin:
    if line == "kill\\n":
        pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=folder, user=server.system_user)
    else:
        server.ensure_postgres_running()
    print("done", flush=True)
server.cleanup()
"""


class MortalPostgres:
    """A PostgreSQL of one test's own, which may be taken away."""

    def __init__(self, folder: Path) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, "-c", _KEEPER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url = self._said()

    def _said(self) -> str:
        assert self._keeper.stdout is not None
        said = self._keeper.stdout.readline().strip()
        assert said, "PostgreSQL's keeper has ended"
        return said

    def _tell(self, word: str) -> None:
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(f"{word}\n")
        self._keeper.stdin.flush()
        assert self._said() == "done"

    def kill(self) -> None:
        """End it without a word to anybody, as a crash does."""
        self._tell("kill")

    def start(self) -> None:
        self._tell("start")

    def end(self) -> None:
        with self._keeper as keeper:
            assert keeper.stdin is not None
            keeper.stdin.close()
            keeper.wait(PATIENCE)
