"""The Pythons of this machine, and clean environments created from them. It knows no package."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pythons() -> dict[str, Path]:
    """Returns the interpreter of each supported Python on this machine by version, including the current one."""
    done = subprocess.run([ROOT / "codegen" / "pythons.sh"], capture_output=True, text=True, check=True)
    own = {f"3.{sys.version_info.minor}": Path(sys.executable)}
    return own | {
        version: Path(path) for version, _, path in (line.partition(" ") for line in done.stdout.splitlines())
    }


def output(*command: str | Path, cwd: Path, env: dict[str, str]) -> str:
    """Runs a program and returns its output. Fails with the output if the program fails."""
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with an empty home, from which the repository cannot be seen."""

    top: Path

    @classmethod
    def make(cls, python: Path, top: Path) -> Environment:
        """Creates it below `top` without pip: installing pip would take longer than installing the packages."""
        (top / "home").mkdir(parents=True)
        subprocess.run([python, "-m", "venv", "--without-pip", top / "venv"], check=True)
        return cls(top)

    def pip(self, *arguments: str | Path) -> str:
        """Runs the current Python's pip on the environment, with its own cache and index."""
        command = (sys.executable, "-m", "pip", "--python", self.top / "venv" / "bin" / "python")
        return output(*command, *arguments, cwd=self.top, env={**os.environ})

    def install(self, *requirements: str | Path, dist: Path) -> None:
        """Installs the files in `dist`, and third-party packages in the versions of constraints.txt."""
        # Only what the programs import is compiled, when the first of them imports it.
        options = ("--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt", "--find-links", dist)
        self.pip("install", *options, *requirements)
        self.pip("check")

    def run(self, program: str, *arguments: str | Path) -> str:
        """Runs a program of the environment by its name."""
        bin_ = self.top / "venv" / "bin"
        env = {"PATH": f"{bin_}:/usr/bin:/bin", "HOME": str(self.top / "home")}
        return output(bin_ / program, *arguments, cwd=self.top / "home", env=env)

    def site_packages(self) -> Path:
        """Returns the folder with the installed packages."""
        (found,) = self.top.glob("venv/lib/python3.*/site-packages")
        return found

    def distributions(self) -> set[str]:
        """Returns the names of the installed packages."""
        return {line.partition("==")[0] for line in self.pip("list", "--format=freeze").split()}
