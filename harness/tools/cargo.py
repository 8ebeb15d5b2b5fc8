"""Building a Rust worker from its folder into the tool cache, exactly as it was locked.

The folder holds `Cargo.toml`, `src` and `crates.lock`: Cargo's lock file without its `source`
lines, which name the registry and nothing else. Cargo itself says which registry it uses; with that
the lock file is whole again, and Cargo checks every crate against its checksum. The build happens
in a copy, so that nothing is ever written into the repository.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Final

from harness.errors import EXIT_UNAVAILABLE, UnavailableError
from harness.tools.cache import exclusive
from harness.tools.command import Progress, complete

LOCK: Final = "crates.lock"
SEEDED: Final = "seeded-defects"

_QUICK_S = 60.0
_BUILD_S = 3600.0
_CHECKSUM = re.compile(r'^(?=checksum = ")', re.MULTILINE)


def build(package: Path, progress: Progress) -> dict[str, Path]:
    """Build the program of `package` without and with its seeded defects.

    Returns both by name: `worker` and `worker-seeded`. Cargo decides what has to be built; with
    nothing changed that takes a second. Raises `UnavailableError` if there is no Cargo, or with
    the last lines of a build that failed.
    """
    cargo = find_cargo()
    with exclusive(
        f"cargo-{package.name}",
        deadline_s=_BUILD_S,
        waiting=lambda: progress(f"{package.name}: waiting for another run that builds it"),
    ) as folder:
        home = folder / f"cargo-{package.name}"
        copy = home / "package"
        if _copy(package, copy):
            for name in ("worker", "worker-seeded"):
                (home / name).unlink(missing_ok=True)  # not built from what the copy holds now
        (copy / "Cargo.lock").write_text(_whole_lock(cargo, copy))
        return {
            name: _built(cargo, copy, home, name, features, progress)
            for name, features in (("worker", ()), ("worker-seeded", ("--features", SEEDED)))
        }


def find_cargo() -> Path:
    """Cargo, from PATH or where its installer puts it; raises `UnavailableError` without it."""
    usual = Path.home() / ".cargo" / "bin"
    found = shutil.which("cargo", path=os.pathsep.join((os.environ.get("PATH", ""), str(usual))))
    if found is None:
        raise UnavailableError("no `cargo` on PATH: install Rust (https://rustup.rs), then again")
    return Path(found).absolute()


def _built(
    cargo: Path,
    copy: Path,
    home: Path,
    name: str,
    features: tuple[str, ...],
    progress: Progress,
) -> Path:
    complete(
        [cargo, "build", "--locked", "--jobs", "2", *features],
        doing=f"building {home.name}/{name} (minutes the first time)",
        deadline_s=_BUILD_S,
        progress=progress,
        env={**os.environ, "CARGO_TARGET_DIR": str(home / "target")},
        cwd=copy,
        advice="mend what Cargo says",
    )
    fresh = home / f"{name}.fresh"
    shutil.copyfile(home / "target" / "debug" / "worker", fresh)
    fresh.chmod(0o755)
    return fresh.replace(home / name)


def _copy(package: Path, copy: Path) -> bool:
    """Make `copy` the same as `package`, and say whether it was another.

    A file that is unchanged keeps its time, for Cargo.
    """
    sources = (package / "Cargo.toml", package / LOCK, *sorted((package / "src").rglob("*.rs")))
    wanted = {path.relative_to(package): path.read_bytes() for path in sources}
    changed = False
    for path in list(copy.rglob("*.rs")):
        if path.relative_to(copy) not in wanted:
            path.unlink()
            changed = True
    for name, content in wanted.items():
        path = copy / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            changed = True
    return changed


def _whole_lock(cargo: Path, copy: Path) -> str:
    """The lock file with its `source` lines: one before each checksum."""
    source = f'source = "{_registry(cargo, copy)}"\n'
    return _CHECKSUM.sub(lambda _: source, (copy / LOCK).read_text())


def _registry(cargo: Path, copy: Path) -> str:
    """What Cargo writes as the source of a crate, as it is set up on this machine."""
    told = complete(
        [cargo, "metadata", "--no-deps", "--offline", "--format-version", "1"],
        doing="asking Cargo for its registry",
        deadline_s=_QUICK_S,
        cwd=copy,
        advice="Cargo 1.92 or newer is needed",
    )
    document = json.loads(next(line for line in told.splitlines() if line.startswith("{")))
    sources = {crate["source"] for crate in document["packages"][0]["dependencies"]}
    if len(sources) != 1:
        raise UnavailableError(f"{copy}: its crates come from {len(sources)} places, not from one")
    return str(sources.pop())


def main() -> int:
    """`python -m harness.tools.cargo FOLDER`: build, and print where the programs lie."""
    parser = argparse.ArgumentParser(prog="python -m harness.tools.cargo", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.absolute()
    try:
        for path in build(folder, lambda line: print(line, file=sys.stderr, flush=True)).values():
            print(path)
    except UnavailableError as error:
        print(f"harness: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
