"""Chromium for tests: where it is, and how it is started headless."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import BrowserContext, async_playwright

# The browser makes no requests of its own; as root it has no sandbox.
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def find_chromium() -> str | None:
    """Returns the path of a Chromium on this machine, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@asynccontextmanager
async def chromium_in(profile: Path, *flags: str, any_certificate: bool = False) -> AsyncIterator[BrowserContext]:
    """Runs a browser whose profile is this folder, with further flags of its command."""
    async with async_playwright() as playwright:
        launch = playwright.chromium.launch_persistent_context
        context = await launch(
            profile, executable_path=find_chromium(), args=[*_FLAGS, *flags], ignore_https_errors=any_certificate
        )
        yield context
        await context.close()
