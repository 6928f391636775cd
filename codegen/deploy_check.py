"""Carries out deploy/Dockerfile in a new folder, for machines without a container engine.

Runs each stage's steps with the image's folders below the new one. Then starts the last stage's command until its
health check passes, over a read-only tree and, if this process is root, as the image's user. Finally loads the program
of compose.yml's batch worker from the same image, without a broker.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
COMPOSE = ROOT / "deploy" / "compose.yml"
TASK_TYPES = (
    "embed",
    "image.preprocess",
    "llm.generate",
    "ocr.extract",
    "rag.index",
    "text.normalize",
    "text.template",
)
WRITABLE = ("/var/lib/diptych", "/tmp")
READY_SECONDS = 120.0
_PLACES = ("/var/lib/diptych", "/opt/diptych", "/wheels", "/src")


@dataclass
class Stage:
    """The instructions from one FROM to the next."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, name: str) -> str:
        """Returns the last instruction of that name."""
        return [text for kind, text in self.steps if kind == name][-1]


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yields the Dockerfile's instructions, without comments and with continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, rest = line.strip().partition(" ")
        yield name.upper(), rest.strip()


def stages(text: str) -> list[Stage]:
    """The Dockerfile's stages in order."""
    found: list[Stage] = []
    for name, rest in instructions(text):
        if name == "FROM":
            found.append(Stage(rest.split()[0]))
        else:
            found[-1].steps.append((name, rest))
    return found


class Image:
    """A stage that is carried out below `top`, with a copy of this Python instead of the base image's.

    A copy, since other users may have no access to this interpreter's folder.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        brought = top / "usr" / "local"
        if not brought.exists():
            leave = shutil.ignore_patterns("test", "tests", "__pycache__", "site-packages", "share", "include")
            shutil.copytree(sys.base_prefix, brought, symlinks=True, ignore=leave)
            (brought / "bin" / "python").unlink(missing_ok=True)
            (brought / "bin" / "python").symlink_to(f"python3.{sys.version_info.minor}")
        kept = ("HOME", "LANG", "PIP_INDEX_URL")
        self.env = {name: os.environ[name] for name in kept if name in os.environ}
        self.env["PATH"] = f"{brought / 'bin'}:/usr/bin:/bin"
        self.env["LD_LIBRARY_PATH"] = str(brought / "lib")  # a shared libpython is looked for where it was built for
        self.folder = top
        subprocess.run([brought / "bin" / "python", "-m", "ensurepip"], env=self.env, check=True, capture_output=True)

    def here(self, text: str) -> str:
        """Returns `text` with the image's paths replaced by those below `top`."""
        pattern = "|".join(re.escape(place) for place in _PLACES)
        return re.sub(rf"(?<![\w/.])({pattern})(?![\w])", lambda found: f"{self.top}{found[1]}", text)

    def carry_out(self, stage: Stage) -> None:
        """Carries out every step that creates files or sets variables."""
        for name, text in stage.steps:
            if name in ("ARG", "ENV"):
                for word in shlex.split(text):
                    key, _, value = word.partition("=")
                    self.env[key] = self.here(value).replace("$PATH", self.env["PATH"])
            elif name == "WORKDIR":
                self.folder = Path(self.here(text))
                self.folder.mkdir(parents=True, exist_ok=True)
            elif name == "COPY":
                self._copy(*text.split())
            elif name == "RUN":
                self._run(text)

    def _copy(self, *words: str) -> None:
        *sources, target = words
        for source in sources:
            place = self.folder / target
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(ROOT / source, place)

    def _run(self, text: str) -> None:
        command = self.here(re.sub(r"--mount=\S+\s+", "", text))
        if os.geteuid() != 0:
            command = re.sub(r"&& chown [^&]+", "", command)
        place = Path(self.here(WRITABLE[0])).parent
        place.mkdir(parents=True, exist_ok=True)
        print(f"RUN {command}", flush=True)
        subprocess.run(["/bin/sh", "-euc", command], env=self.env, cwd=self.folder, check=True)


def serve(image: Image, stage: Stage) -> None:
    """Starts the image's command; raises unless it becomes ready, writes only data, and stops."""
    user = int(stage.last("USER").partition(":")[0]) if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as scratch:
        if user is not None:
            os.chown(scratch, user, user)
        ports = {"DIPTYCH_HTTP_PORT": "0", "DIPTYCH_GRPC_PORT": "0", "DIPTYCH_TELEMETRY__METRICS_PORT": "0"}
        hosts = {name: "127.0.0.1" for name in image.env if name.endswith("_HOST")}
        env = {**image.env, **ports, **hosts, "TMPDIR": scratch, "HOME": "/nonexistent"}
        started = _words(image, stage.last("ENTRYPOINT")) + _words(image, stage.last("CMD"))
        log = Path(scratch, "log")
        before = _listing(image.top / "opt")
        with log.open("wb") as written:
            process = subprocess.Popen(
                [_found(started[0], env), *started[1:]],
                env=env,
                cwd=image.folder,
                user=user,
                group=user,
                extra_groups=[] if user is not None else None,
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        try:
            port = _port(process, log)
            probe = [word.replace(":8080", f":{port}") for word in _words(image, stage.last("HEALTHCHECK"))]
            _until_ready([_found(probe[0], env), *probe[1:]], env, process, log)
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
            assert code == 0, f"it ended with {code}\n{log.read_text()}"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        assert _listing(image.top / "opt") == before, "it wrote into its own tree"
    print("the image's command became ready, stopped cleanly, and wrote only data")


def load_worker(image: Image) -> None:
    """Lets the worker's program load its settings, its tasks and everything that they import."""
    worker = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["worker"]
    with tempfile.TemporaryDirectory() as scratch:
        env = {**image.env, **worker["environment"], "TMPDIR": scratch, "HOME": "/nonexistent"}
        program = [_found(worker["entrypoint"][0], env), *worker["entrypoint"][1:-1], "report"]
        done = subprocess.run(program, env=env, cwd=image.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cannot be loaded" not in done.stderr, done.stderr
    for name in TASK_TYPES:
        assert f"artificer.batch.{name}" in done.stdout, f"the image has no task type {name}"
    print(f"the worker's program has {', '.join(TASK_TYPES)}")


def _words(image: Image, text: str) -> list[str]:
    found: list[str] = json.loads(text[text.index("[") :])
    return [image.here(word) for word in found]


def _found(program: str, env: Mapping[str, str]) -> str:
    return shutil.which(program, path=env["PATH"]) or program


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r"HTTP on https?://[^:]+:(\d+)", log.read_text())
        if found:
            return int(found[1])
        time.sleep(0.1)
    raise AssertionError(f"it does not listen\n{log.read_text()}")


def _until_ready(probe: list[str], env: Mapping[str, str], process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        done = subprocess.run(probe, env=env, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            print(f"health check: {done.stdout.strip()}")
            return
        time.sleep(0.2)
    raise AssertionError(f"its health check does not pass\n{log.read_text()}")


def _listing(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in folder.rglob("*"):
        stat = path.lstat()
        found[str(path)] = (stat.st_size, stat.st_mtime_ns)
    return found


def _lock(folder: Path) -> None:
    """Makes the tree read-only, as a read-only root is. Root could still write, so the command runs as another user."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)


def _unlock(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o700)


def main() -> int:
    """Carries out the Dockerfile; raises if a step fails."""
    build, last = stages(DOCKERFILE.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="diptych-image-") as folder:
        top = Path(folder)
        top.chmod(0o755)
        Image(top).carry_out(build)
        shutil.rmtree(top / "src")
        image = Image(top)
        image.carry_out(last)
        shutil.rmtree(top / "wheels")
        _lock(top / "opt")
        try:
            serve(image, last)
            load_worker(image)
        finally:
            _unlock(top / "opt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
