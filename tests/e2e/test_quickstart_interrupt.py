"""Ctrl-C of deploy/quickstart at any step: nothing of it stays."""
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from conftest import AGENT, ENVIRONMENT, LAB_DIR, ROOT

LAB = LAB_DIR + "-quickstart"


def own_processes():
    """Whatever inherited our SOCKETNET_LAB, by process id."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read().split(b"\0")
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                state = file.read().rpartition(") ")[2][0]
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"SOCKETNET_LAB={LAB}".encode() in environment and state != "Z":
            found[int(pid)] = command
    return found


def held_namespaces():
    """Our network namespaces, as open files: also what wrote over its
    environment is in one, and as long as they are open no namespace of another
    lab gets the number of one that went."""
    return [os.open(f"/run/netns/{name}", os.O_RDONLY) for name in namespaces()]


def processes_in(spaces):
    inodes = {os.fstat(space).st_ino for space in spaces}
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{pid}/ns/net").st_ino in inodes:
                found.append(int(pid))
        except OSError:
            continue
    return found


def namespaces():
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
    return [name for name in names if re.fullmatch(r"sn(\d+(-.*)?|-underlay)", name)]


def hears_interrupts():
    """A shell that starts us in the background has SIGINT ignored, and what it
    starts could then not even trap it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Quickstart:
    """The script in a process group of its own, as a terminal starts it."""

    def __init__(self):
        self.process = subprocess.Popen(
            [os.path.join(ROOT, "deploy", "quickstart")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=hears_interrupts,
            env=dict(ENVIRONMENT, SOCKETNET_LAB=LAB, SOCKETNET_AGENT=AGENT))
        self.text = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while data := os.read(self.process.stdout.fileno(), 4096):
            self.text += data

    def wait_for_step(self, n, seconds=300):
        end = time.monotonic() + seconds
        while self.text.count(b" ... ") < n:
            assert self.process.poll() is None, self.text.decode()
            assert time.monotonic() < end, self.text.decode()
            time.sleep(0.02)

    def end(self, seconds=60):
        status = self.process.wait(seconds)
        self.reader.join(5)
        self.process.stdout.close()
        return status


@pytest.fixture(name="clean")
def clean_fixture():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    assert namespaces() == [], "another lab is up"
    spaces = []
    yield spaces
    problems = []
    if namespaces():
        problems.append(f"namespaces {namespaces()}")
    if os.path.exists(LAB):
        problems.append(f"{LAB}: {os.listdir(LAB)}")
    if own_processes():
        problems.append(f"processes {own_processes()}")
    if processes_in(spaces):
        problems.append(f"processes {processes_in(spaces)}")
    for space in spaces:
        os.close(space)
    subprocess.run([os.path.join(ROOT, "deploy", "lab"), "down"], env=dict(ENVIRONMENT, SOCKETNET_LAB=LAB), check=False)
    assert not problems


# The n-th step has begun this long ago: packages, build, hosts, join, Redis,
# ..., a host that dies.
@pytest.mark.parametrize("step,seconds", [(2, 0.2), (3, 0.3), (3, 1.5), (4, 0.0), (4, 1.5), (7, 0.1), (11, 2.0)])
def test_interrupt(clean, step, seconds):
    quickstart = Quickstart()
    quickstart.wait_for_step(step)
    # sleeps on purpose: the moment within the step is what is tried.
    time.sleep(seconds)
    clean.extend(held_namespaces())
    os.killpg(quickstart.process.pid, signal.SIGINT)
    assert quickstart.end() == 130, quickstart.text.decode()
    assert b"quickstart: stopped at: " in quickstart.text, quickstart.text.decode()


def test_impatient_interrupts(clean):
    """Again and again, while it cleans up."""
    quickstart = Quickstart()
    quickstart.wait_for_step(5)
    clean.extend(held_namespaces())
    while quickstart.process.poll() is None:
        try:
            os.killpg(quickstart.process.pid, signal.SIGINT)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    assert quickstart.end() == 130, quickstart.text.decode()


def test_terminated(clean):
    """kill, of the script alone."""
    quickstart = Quickstart()
    quickstart.wait_for_step(4)
    clean.extend(held_namespaces())
    os.kill(quickstart.process.pid, signal.SIGTERM)
    assert quickstart.end() == 143, quickstart.text.decode()


def test_a_lab_of_somebody_is_left_alone(clean):
    os.makedirs(os.path.join(LAB, "pids"))
    quickstart = Quickstart()
    assert quickstart.end(300) == 1
    assert b"already" in quickstart.text and b"quickstart --down" in quickstart.text, quickstart.text.decode()
    os.rmdir(os.path.join(LAB, "pids"))
    os.rmdir(LAB)
