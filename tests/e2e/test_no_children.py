"""A running agent starts no process and listens where it was told only."""
import os
import re
import signal
import subprocess
import time

import pytest

HOSTS = 2
SERVICES = 100


@pytest.fixture(name="trace")
def trace_fixture(lab, tmp_path):
    """strace on launcher, core and worker of host1; what it saw, as text."""
    log = tmp_path / "trace"
    pids = lab.agent_pids("host1")
    assert len(pids) == 3
    command = ["strace", "-f", "-qq", "-e", "trace=execve,execveat,fork,vfork,clone,clone3",
               "-e", "signal=none", "-o", str(log)]
    for pid in pids:
        command += ["-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        def tracers():
            found = []
            for pid in pids:
                with open(f"/proc/{pid}/status", encoding="ascii") as status:
                    found.append(int(re.search(r"TracerPid:\t(\d+)", status.read()).group(1)))
            return set(found) == {process.pid}
        lab.until(tracers)

        def read():
            process.send_signal(signal.SIGINT)
            process.wait(10)
            return log.read_text()
        yield read
        if process.poll() is None:
            process.kill()


def churn(lab):
    """Registers and deregisters over the API, as curl does, from outside the agent."""
    script = f"""
    api=http://agent/api/v1
    for i in $(seq {SERVICES}); do
        curl -sS -o /dev/null -f --unix-socket /run/socketnet/api.sock $api/services -d \
            "{{\\"name\\": \\"load$i\\", \\"port\\": 80, \\"address\\": \\"10.0.1.$((i + 50))\\", \\"check\\": \\"tcp\\"}}"
    done
    agentctl service ls -o json | grep -c '"name": "load' >/run/count
    for i in $(seq {SERVICES}); do
        curl -sS -o /dev/null -f --unix-socket /run/socketnet/api.sock -X DELETE $api/services/load$i
    done"""
    lab.sh("host1", "bash", "-ec", script, timeout=200)
    return int(lab.sh("host1", "cat", "/run/count").out)


def test_no_child_while_services_come_and_go(lab, trace):
    assert churn(lab) >= SERVICES
    lab("vswitchd", "host1", "kill")
    lab.until(lambda: not lab.api("host1", "/api/v1/status")["worker"]["ovs"]["up"])
    lab("vswitchd", "host1", "start")
    lab.until(lambda: lab.ctl("host1", "status", check=False).status == 0, 30)
    lab.redis("host1", "10.0.1.1", "ping")
    seen = trace()
    # Threads are no children, and none is expected either once all runs.
    children = [line for line in seen.splitlines() if "exec" in line or
                ("clone" in line and "CLONE_THREAD" not in line) or "fork" in line]
    assert children == []
    assert len(lab.agent_pids("host1")) == 3


def test_strace_sees_children(lab, trace, tmp_path):
    """The tracing itself works: core killed is started again, which it shows."""
    _, *children = lab.agent_pids("host1")
    os.kill(children[0], signal.SIGKILL)
    lab.until(lambda: len(lab.agent_pids("host1")) == 3 and lab.ctl("host1", "members", check=False).status == 0)
    lab.until(lambda: re.search("clone|fork", (tmp_path / "trace").read_text()))
    trace()
    lab.all_alive(["host1", "host2"])
    lab.until(lambda: lab.ctl("host1", "status", check=False).status == 0, 30)


def test_listens_where_told_only(lab):
    found = set()
    for line in lab.sh("host1", "ss", "-Hlntup").out.splitlines():
        fields = line.split()
        if '"agent-core"' in line:
            found.add((fields[0], fields[4]))
        else:
            # What else listens in this host: its mesh, and the tunnel in the kernel.
            assert "agent" not in line, line
            assert fields[4].rpartition(":")[2] in ("51821", "4789"), line
    assert found == {("udp", "100.104.70.1:7720"), ("tcp", "100.104.70.1:7720"),
                     ("udp", "10.0.1.1:53"), ("tcp", "10.0.1.1:53"),
                     ("udp", "127.0.0.1:53"), ("tcp", "127.0.0.1:53")}
    raw = lab.sh("host1", "ss", "-Hlnw0").out
    assert "agent" not in raw, raw


def test_rights_of_the_processes(lab):
    """core is nobody special without a right; the worker has CAP_NET_ADMIN alone."""
    seen = {}
    for pid in lab.agent_pids("host1"):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            verb = file.read().split(b"\0")[1].decode()
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            seen[verb] = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    assert set(seen) == {"run", "core", "worker"}
    assert seen["core"]["Uid"].split()[0] != "0"
    for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        assert int(seen["core"][kind], 16) == 0, (kind, seen["core"][kind])
    assert int(seen["worker"]["CapEff"], 16) & ~(1 << 12) & ~(1 << 13) == 0, seen["worker"]["CapEff"]
    assert seen["worker"]["NoNewPrivs"] == "1" and seen["core"]["NoNewPrivs"] == "1"
