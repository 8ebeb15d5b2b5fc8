"""Building a worker with a pretended Cargo; the lock file of the Rust worker."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from harness.errors import UnavailableError
from harness.tools.cargo import build, main
from harness.tools.command import silent

REGISTRY = "registry+somewhere"
LOCK = """\
version = 4

[[package]]
name = "crate"
version = "1.0.0"
checksum = "aa"

[[package]]
name = "ours"
version = "1.0.0"
"""
CARGO = f"""\
if [ "$1" = metadata ]; then
  echo 'warning: of no interest'
  echo '{{"packages": [{{"dependencies": [{{"source": "{REGISTRY}"}}]}}]}}'
  exit
fi
echo "$@" >> "$HARNESS_CACHE/told"
mkdir -p "$CARGO_TARGET_DIR/debug"
cp Cargo.lock "$CARGO_TARGET_DIR/debug/worker"
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package to build; PATH is the folder `bin`, the home folder has no Cargo."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("cp", "mkdir"):
        (programs / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "rust"
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "Cargo.toml").write_text("[package]")
    (folder / "crates.lock").write_text(LOCK)
    (folder / "src" / "main.rs").write_text("fn main() {}")
    (folder / "src" / "deep" / "mod.rs").write_text("// deep")
    return folder


@pytest.fixture
def cargo(tmp_path: Path, package: Path) -> Path:
    path = tmp_path / "bin" / "cargo"
    path.write_text(f"#!/bin/sh\n{CARGO}")
    path.chmod(0o755)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.usefixtures("cargo")
def test_it_builds_locked_in_a_copy_with_the_registry_that_cargo_names(
    package: Path, tmp_path: Path
) -> None:
    before = contents(package)
    built = build(package, silent)
    assert list(built) == ["worker", "worker-seeded"]
    whole = LOCK.replace("checksum", f'source = "{REGISTRY}"\nchecksum')
    assert built["worker"].read_text() == whole  # what the pretended Cargo makes a program of
    assert built["worker"].stat().st_mode & 0o111
    assert contents(package) == before
    told = (tmp_path / "cache" / "told").read_text().splitlines()
    assert told == ["build --locked --jobs 2", f"{told[0]} --features seeded-defects"]


@pytest.mark.usefixtures("cargo")
def test_the_copy_follows_its_source_and_what_is_unchanged_keeps_its_time(
    package: Path, tmp_path: Path
) -> None:
    build(package, silent)
    copy = tmp_path / "cache" / "cargo-rust" / "package"
    before = (copy / "src" / "main.rs").stat().st_mtime_ns
    (package / "src" / "deep" / "mod.rs").unlink()
    (package / "src" / "more.rs").write_text("// more")
    build(package, silent)
    assert {path.name for path in copy.rglob("*.rs")} == {"main.rs", "more.rs"}
    assert (copy / "src" / "main.rs").stat().st_mtime_ns == before


def test_without_cargo_it_says_in_a_line_what_to_do(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["cargo", str(package)])
    assert main() == 69
    assert capsys.readouterr().err == (
        "harness: no `cargo` on PATH: install Rust (https://rustup.rs), then again\n"
    )


def test_a_build_that_fails_says_why(package: Path, cargo: Path) -> None:
    cargo.write_text(f"#!/bin/sh\n{CARGO}echo 'error[E0308]: types' >&2; exit 101\n")
    with pytest.raises(UnavailableError, match=r"ended with 101(.|\n)*error\[E0308\]: types"):
        build(package, silent)


def test_every_crate_is_locked_by_its_checksum_and_no_registry_is_named() -> None:
    folder = Path(__file__).parents[2] / "scenarios" / "reference" / "rust"
    locked = tomllib.loads((folder / "crates.lock").read_text())["package"]
    ours = tomllib.loads((folder / "Cargo.toml").read_text())["package"]["name"]
    assert [crate["name"] for crate in locked if "checksum" not in crate] == [ours]
    assert [crate["name"] for crate in locked if "source" in crate] == []
    assert not (folder / "Cargo.lock").exists()
