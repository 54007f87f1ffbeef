"""Copies of the tree with builds of their own, and this project's tests run in
them: for programs that put faults into the sources."""
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

SETUP = ["-Dbuildtype=debug", "-Doptimization=1", "-Db_sanitize=address,undefined",
         "-Db_lundef=false"]
# Sees to it that a faulty test reaches nothing but its copy; $0 is that copy.
SANDBOX = """
mount --bind "$0" "$0"
mount -o remount,bind,ro /
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mkdir -p /run/netns
ip link set lo up
exec "$@"
"""


class Failed(Exception):
    pass


def say(text):
    print(text, flush=True)


def note(text):
    print(text, file=sys.stderr, flush=True)


def run(arguments, **options):
    return subprocess.run(arguments, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **options)


def run_must(what, arguments, **options):
    done = run(arguments, **options)
    if done.returncode != 0:
        raise Failed(f"{what} failed:\n{done.stdout.decode(errors='replace')[-4000:]}")
    return done.stdout


class Test:
    """One meson test, as a command below a build directory."""

    def __init__(self, entry, targets):
        self.name = entry["name"]
        self.command = entry["cmd"]
        self.env = entry["env"]
        self.suite = entry["suite"][0].split(":")[-1]
        self.files = [name for id_ in entry["depends"] for name in targets[id_]]
        self.seconds = 0.0
        self.lines = {}  # file -> set of lines it executes


class Tree:
    """A copy of the sources, and builds of it."""

    def __init__(self, work, name):
        self.sources = work / name
        self.build = self.sources / "build"

    def sync(self, files):
        """Makes the copy equal to the tree as it was read."""
        self.sources.mkdir(parents=True, exist_ok=True)
        listed = self.sources / "build-files"
        before = set(listed.read_text().split("\n")) if listed.exists() else set()
        for gone in before - set(files):
            (self.sources / gone).unlink(missing_ok=True)
        for name, (data, mode) in files.items():
            copy = self.sources / name
            if not copy.exists() or copy.read_bytes() != data:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(data)
                copy.chmod(mode)
        listed.write_text("\n".join(files))

    def setup(self, options):
        """A build of these options: one of others is made anew, as counts that
        it does not keep would pass for lines that no test executes."""
        noted = self.sources / "build-options"
        if not noted.exists() or noted.read_text() != "\n".join(options):
            shutil.rmtree(self.build, ignore_errors=True)
        if not (self.build / "build.ninja").exists():
            run_must("meson setup", ["meson", "setup", self.build, self.sources, *options])
            noted.write_text("\n".join(options))
        # Where the list of tests has changed since.
        run_must("meson", ["ninja", "-C", self.build, "build.ninja"])

    def build_all(self):
        run_must("build", ["ninja", "-C", self.build])

    def tests(self):
        def introspect(what):
            return json.loads(subprocess.check_output(
                ["meson", "introspect", what, str(self.build)]))

        targets = {
            entry["id"]: [os.path.relpath(name, self.build) for name in entry["filename"]]
            for entry in introspect("--targets")
        }
        return [Test(entry, targets) for entry in introspect("--tests")]

    def run_test(self, test, limit, output=subprocess.DEVNULL):
        """0 passed, 1 failed, None took longer than the limit."""
        env = {**os.environ, **test.env}
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":hard_rss_limit_mb=2048"
        process = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
             "--mount-proc", "--propagation", "private", "bash", "-euc", SANDBOX,
             str(self.sources), *test.command],
            env=env, cwd=self.build, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True)
        try:
            return int(process.wait(limit) != 0)
        except subprocess.TimeoutExpired:
            return None
        finally:
            # Ends all of the namespace: --kill-child.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def tree_files():
    """The tree's files, changed and new ones too, as git knows them, with what
    is in them: somebody may go on editing."""
    if (ROOT / ".git").exists():
        names = subprocess.check_output(
            ["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], text=True).split("\n")
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")
                 if not str(path.relative_to(ROOT)).startswith("build")]
    paths = [(name, ROOT / name) for name in sorted(set(names)) if name]
    return {name: (path.read_bytes(), path.stat().st_mode & 0o777)
            for name, path in paths if path.is_file()}
