"""What somebody outside of the repository has: a checkout to install from, and npm as it is set up on this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from codegen import npm

ROOT = Path(__file__).parents[2]


def checkout(folder: Path, *parts: str) -> Path:
    """Copies these parts of the repository into a folder, without what was installed or built in them."""
    unwanted = shutil.ignore_patterns("node_modules", "dist", "build", ".*.lock", "*.tgz")
    for part in parts:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=unwanted)
        else:
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / part)
    return folder


def npm_settings() -> dict[str, str]:
    """Returns npm's registry and cache and Node's certificates, which a terminal with an empty home does not have."""
    found = {key: npm.run("npm", "config", "get", key, folder=ROOT).strip() for key in ("registry", "cache")}
    quick = {"prefer_offline": "true", "audit": "false", "fund": "false", "update_notifier": "false"}
    certificates = {name: value for name, value in os.environ.items() if name == "NODE_EXTRA_CA_CERTS"}
    return {f"npm_config_{key}": value for key, value in (found | quick).items()} | certificates
