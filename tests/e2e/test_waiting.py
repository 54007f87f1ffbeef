"""What passes by itself keeps no agent down: it waits, and says for what."""
import ctypes
import ctypes.util
import json
import os
import shutil
import subprocess
import time

import pytest

from conftest import ROOT

HOSTS = 2

HOLD_UDP = """
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("{address}", {port}))
print("held", flush=True)
time.sleep(120)
"""
HOLD_UNIX = """
import os, socket, time
path = "/run/socketnet/api.sock"
if os.path.exists(path):
    os.unlink(path)
s = socket.socket(socket.AF_UNIX)
s.bind(path)
os.chmod(path, 0o666)
s.listen()
print("held", flush=True)
time.sleep(120)
"""


def health(lab, host):
    return json.loads(lab.ctl(host, "health", "-o", "json", check=False).out)


class Agent:
    """host2's agent as a child of ours, for its exit status and its words."""

    def __init__(self, lab, directory):
        self.lab = lab
        self.path = os.path.join(directory, "log")
        with open(self.path, "w", encoding="utf-8") as log:
            self.process = lab.popen("host2", "agent", "run", stdout=log, stderr=log)

    def log(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def is_ready(self):
        return self.lab.ctl("host2", "members", check=False).status == 0

    def stop(self):
        self.process.terminate()
        assert self.process.wait(15) == 0, self.log()


@pytest.fixture(name="start")
def start_fixture(lab, tmp_path):
    lab("agent", "host2", "stop")
    agents = []

    def start():
        agents.append(Agent(lab, tmp_path))
        return agents[-1]
    yield start
    for agent in agents:
        if agent.process.poll() is None:
            agent.stop()
    lab("agent", "host2", "start")


def hold(lab, program):
    holder = lab.popen("host2", "python3", "-c", program, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    return holder


@pytest.mark.parametrize("program, words", [
    (HOLD_UDP.format(address="100.104.70.2", port=7720), "cannot listen on UDP 100.104.70.2:7720"),
    (HOLD_UDP.format(address="127.0.0.1", port=53), "cannot serve DNS on 127.0.0.1:53/udp"),
    (HOLD_UNIX, "cannot listen at unix:/run/socketnet/api.sock"),
], ids=["mesh", "dns", "api"])
def test_waits_for_a_port(lab, start, program, words):
    holder = hold(lab, program)
    agent = start()
    lab.until(lambda: f"waiting, core cannot start yet: {words}" in agent.log())
    # It is tried again, and not said again.
    begin = time.monotonic()
    lab.until(lambda: time.monotonic() > begin + 1.5)
    assert agent.process.poll() is None, agent.log()
    assert agent.log().count("waiting, core") == 1, agent.log()
    holder.kill()
    holder.wait()
    lab.until(agent.is_ready, 15)
    assert "waiting is over: core runs" in agent.log()
    assert agent.log().count("waiting, core") == 1, agent.log()


def test_starts_before_open_vswitch(lab, start):
    lab("vswitchd", "host2", "kill")
    lab("ovsdb", "host2", "kill")
    agent = start()
    lab.until(agent.is_ready)
    lab.until(lambda: any(p["id"] == "ovs" for p in health(lab, "host2")["problems"]))
    lab("ovsdb", "host2", "start")
    lab("vswitchd", "host2", "start")
    lab.until(lambda: health(lab, "host2")["healthy"], 30)
    assert agent.process.poll() is None


def test_starts_before_the_mesh_address(lab, start):
    lab.sh("host2", "ip", "addr", "del", "100.104.70.2/24", "dev", "nm-privacy")
    agent = start()
    lab.until(agent.is_ready)
    lab.sh("host2", "ip", "addr", "add", "100.104.70.2/24", "dev", "nm-privacy")
    lab("heal")
    lab.all_alive(["host1", "host2"])
    assert agent.process.poll() is None


class Val(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_char_p)]


def put(lab, database, name, value):
    """One entry into the store of host2's stopped agent."""
    path = lab.path("host2", "lib", "db")
    mdb = ctypes.CDLL(ctypes.util.find_library("lmdb"))
    env, txn, db = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint()

    def call(function, *arguments):
        assert function(*arguments) == 0, function.__name__
    call(mdb.mdb_env_create, ctypes.byref(env))
    call(mdb.mdb_env_set_maxdbs, env, 8)
    call(mdb.mdb_env_open, env, path.encode(), 0, 0o600)
    call(mdb.mdb_txn_begin, env, None, 0, ctypes.byref(txn))
    call(mdb.mdb_dbi_open, txn, database, 0, ctypes.byref(db))
    call(mdb.mdb_put, txn, db, ctypes.byref(Val(len(name), name)), ctypes.byref(Val(len(value), value)), 0)
    call(mdb.mdb_txn_commit, txn)
    mdb.mdb_env_close(env)


def set_floor(lab, floor_ms):
    """The latest time that it has seen."""
    put(lab, b"settings", b"clock", floor_ms.to_bytes(8, "big"))


@pytest.mark.parametrize("schema, words", [
    (1, "was written by an older release of agent (store schema 1), and its formats are no longer spoken: "
        "run `agent reset --yes`"),
    (3, "was written by a newer version of agent: install that one again"),
])
def test_store_of_another_release(lab, start, schema, words):
    put(lab, b"meta", b"schema", schema.to_bytes(4, "big"))
    try:
        agent = start()
        assert agent.process.wait(15) == 2, agent.log()
        assert words in agent.log()
    finally:
        put(lab, b"meta", b"schema", (2).to_bytes(4, "big"))


def test_waits_for_the_clock(lab, start):
    # It has run some seconds past the minute that a clock may be set back by.
    floor_ms = int((time.time() + 68) * 1000)
    set_floor(lab, floor_ms)
    agent = start()
    words = "waiting, core cannot start yet: the clock of this host is behind: this node has run at"
    lab.until(lambda: words in agent.log())
    assert "set the clock" in agent.log() and "agent store forget-clock" in agent.log()
    assert not agent.is_ready() and agent.process.poll() is None, agent.log()
    lab.until(agent.is_ready, 40)
    assert time.time() * 1000 >= floor_ms - 60000
    assert "waiting is over: core runs" in agent.log()
    assert agent.log().count("waiting, core") == 1, agent.log()


def test_wrong_time_can_be_forgotten(lab, start):
    # A clock that was years ahead, once; its agent waits, and is not stopped for it.
    floor_ms = int((time.time() + 300 * 86400) * 1000)
    set_floor(lab, floor_ms)
    agent = start()
    lab.until(lambda: "the clock of this host is behind" in agent.log())
    assert "forgotten" in lab.sh("host2", "agent", "store", "forget-clock").out
    lab.until(agent.is_ready, 20)


def test_ends_for_what_a_person_must_mend(lab, start):
    path = lab.path("host2", "etc", "agent.yaml")
    with open(path, encoding="ascii") as file:
        good = file.read()
    try:
        for bad, words in (("mesh: {interface: nm-privacy, address: 100.104.70.9}\n", "was admitted at 100.104.70.2:7720"),
                           ("mesh: {port: x}\n", "agent.yaml:1: mesh.port")):
            with open(path, "w", encoding="ascii") as file:
                file.write(bad + "name: host2\n")
            agent = start()
            assert agent.process.wait(15) == 2, agent.log()
            assert words in agent.log()
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(good)


def test_unit_tries_again_but_for_that():
    path = os.path.join(ROOT, "deploy", "socketnet.service")
    with open(path, encoding="ascii") as file:
        lines = file.read().splitlines()
    for line in ("Restart=on-failure", "RestartPreventExitStatus=2", "StartLimitIntervalSec=0",
                 "ExecReload=/bin/kill -HUP $MAINPID"):
        assert line in lines
    if shutil.which("systemd-analyze"):
        done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
        bad = [line for line in done.stderr.splitlines()
               if "socketnet.service" in line and "/usr/local/bin/agent" not in line and "man agent" not in line]
        assert not bad, done.stderr
