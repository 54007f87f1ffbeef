"""deploy/lab and deploy/build keep to what is theirs."""
import os
import pathlib
import shutil
import subprocess

from conftest import ENVIRONMENT, LAB_DIR, ROOT

HOSTS = 1
BUILD = os.path.join(ROOT, "deploy", "build")


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          env=dict(ENVIRONMENT, **more))


def down(directory):
    return run(os.path.join(ROOT, "deploy", "lab"), "down", SOCKETNET_LAB=str(directory))


def test_down_of_another_lab(lab, tmp_path):
    """The directory of a lab that was not ended well, whose names this one has now."""
    stale = tmp_path / "stale"
    os.makedirs(stale / "pids")
    for name in ("namespaces", "boot"):
        shutil.copy(os.path.join(LAB_DIR, name), stale / name)
    (stale / "id").write_text("6b1c7d5e-0000-0000-0000-000000000000\n")
    (stale / "made").write_text("/etc/socketnet\n/var/lib/socketnet\n")
    # Of before a reboot: a number that is this test's by now.
    (stale / "boot").write_text("another boot\n")
    (stale / "pids" / "agent-1").write_text(f"{os.getpid()} 1\n")
    pids = lab.agent_pids("host1")
    assert down(stale).returncode == 0
    assert not stale.exists()
    assert lab.agent_pids("host1") == pids
    assert lab.sh("host1", "ls", "/etc/socketnet").out.split() == ["agent.yaml", "services.d"]
    assert lab.states("host1") == {"host1": "alive"}


def test_down_of_what_is_no_lab(tmp_path):
    (tmp_path / "precious").write_text("x")
    result = down(tmp_path)
    assert result.returncode == 1 and "is not a lab's directory: nothing is removed" in result.stderr
    assert (tmp_path / "precious").exists()


def times(out):
    return {str(path): path.lstat().st_mtime_ns for path in sorted(out.rglob("*"))
            if path.is_file() and path.name not in (".ninja_log", ".ninja_deps", "options")}


def test_second_build_does_nothing():
    out = pathlib.Path(ROOT, "build-e2e-release")
    shutil.rmtree(out, ignore_errors=True)
    try:
        done = run(BUILD, "release", str(out))
        assert done.returncode == 0, done.stdout + done.stderr
        before = times(out)
        done = run(BUILD, "release", str(out))
        assert done.returncode == 0 and "ninja: no work to do." in done.stdout, done.stdout + done.stderr
        assert times(out) == before
    finally:
        shutil.rmtree(out, ignore_errors=True)


STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >>{log}
case "$0 $1" in
*meson\\ setup)
    mkdir -p "$2/meson-info"
    echo '{{"directories": {{"source": "'"$3"'", "build": "'"$2"'"}}}}' >"$2/meson-info/meson-info.json"
    : >"$2/build.ninja" ;;
esac
"""


def test_build_directory_of_another_tree(tmp_path):
    """Copied with the tree it is in: what it names is the other one's."""
    log = tmp_path / "log"
    for tool in ("meson", "ninja"):
        (tmp_path / "bin" / tool).parent.mkdir(exist_ok=True)
        (tmp_path / "bin" / tool).write_text(STAND_IN.format(log=log))
        (tmp_path / "bin" / tool).chmod(0o755)
    copy = tmp_path / "release"
    info = copy / "obj" / "meson-info" / "meson-info.json"

    def calls():
        log.unlink(missing_ok=True)
        done = run(BUILD, "release", str(copy), PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
        return done, [line.split()[:2] for line in log.read_text().splitlines()]
    assert calls()[1] == [["meson", "setup"], ["ninja", "-C"]]
    assert calls()[1] == [["ninja", "-C"]]
    for ours, other in ((ROOT, "/elsewhere/tree"), (str(copy), "/elsewhere/tree/build-release")):
        info.write_text(info.read_text().replace(f'"{ours}', f'"{other}'))
        (copy / "obj" / "stale.o").write_text("x")
        done, lines = calls()
        assert lines == [["meson", "setup"], ["ninja", "-C"]] and "was made for another tree" in done.stderr, lines
        assert not (copy / "obj" / "stale.o").exists()
    assert f'"source": "{ROOT}"' in info.read_text()
