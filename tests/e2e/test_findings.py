"""What a host finds out about its own instances, all others act on."""
import pytest

HOSTS = 2


def instance(lab, host, node, name="redis"):
    """As `host` sees the instance of `node`."""
    return next((i for i in lab.json(host, "service", "show", name)["service"]["instances"] if i["node"] == node), None)


def is_at(lab, host, node, state):
    found = instance(lab, host, node)
    return found is not None and found["state"] == state


def failed(lab, n):
    """How many of n new connections of the client on host1 fail."""
    return sum(lab.redis("host1/client", "redis.mesh.internal", "ping", seconds=2).out != "PONG\n" for _ in range(n))


@pytest.fixture(scope="module", name="two")
def two_fixture(lab):
    lab.container("host1", "client", 101)
    for host in ("host1", "host2"):
        address = lab.start_redis(host, 203)
        lab.register(host, "redis", 6379, address, "--port-name", "veth203")
    lab.until(lambda: is_at(lab, "host1", "host2", "usable") and is_at(lab, "host2", "host1", "usable"))


def test_port_gone(lab, two):
    lab("container-down", "host2", "redis")
    lab.until(lambda: is_at(lab, "host1", "host2", "pending"))
    found = instance(lab, "host1", "host2")
    assert (found["usable"], found["health"]) == (False, "passing"), found
    assert "host2 finds no port veth203" in found["reason"], found
    lab.until(lambda: "10.0.2.203:6379" not in lab.groups("host1"))
    assert failed(lab, 40) == 0
    # One of two is out: that is told where it is, and is no failure elsewhere.
    assert lab.ctl("host1", "status", check=False).status == 0, lab.ctl("host1", "status", check=False)
    lab.start_redis("host2", 203)
    lab.until(lambda: is_at(lab, "host1", "host2", "usable"))
    lab.until(lambda: "10.0.2.203:6379" in lab.groups("host1"))


def test_refused(lab, two):
    """An address that a container has behind another port, learned later."""
    lab("container", "host2", "c205", 205)
    lab.register("host2", "redis", 6379, "10.0.2.205", "--port-name", "veth203", "--instance", "wrong", check=False)

    def wrong():
        found = lab.json("host1", "service", "show", "redis")["service"]["instances"]
        return next((i for i in found if i["instance"] == "wrong"), {"state": None})
    lab.sh("host2/c205", "ping", "-c1", "-W2", "10.0.2.1", check=False)
    lab.until(lambda: wrong()["state"] == "refused", 20, wrong())
    assert "host2 refuses it" in wrong()["reason"], wrong()
    assert failed(lab, 40) == 0
    lab.deregister("host2", "redis", "--instance", "wrong")


def process_name(pid):
    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
        return file.read().strip()


def member(lab, host, node):
    return next(m for m in lab.json(host, "members")["members"] if m["name"] == node)


def test_switch_down(lab, two):
    """The switch of one host is away: the others leave that host out, and say why."""
    before = instance(lab, "host1", "host2")["signer"]
    lab("vswitchd", "host2", "kill")
    try:
        lab.until(lambda: is_at(lab, "host1", "host2", "host-fault"), 30, instance(lab, "host1", "host2"))
        found = instance(lab, "host1", "host2")
        assert found["usable"] is False and "host2 says: its Open vSwitch does not answer" in found["reason"], found
        assert member(lab, "host1", "host2")["finding"] == "its Open vSwitch does not answer"
        assert "alive: its Open vSwitch does not answer" in lab.ctl("host1", "members").out
        resolved = lab.json("host1", "resolve", "redis")
        assert [i["node"] for i in resolved["instances"]] == ["host1"], resolved
        assert [i["node"] for i in resolved["unusable"]] == ["host2"], resolved
        lab.until(lambda: "10.0.2.203:6379" not in lab.groups("host1"))
        assert failed(lab, 20) == 0
        assert lab.ctl("host1", "status", check=False).status == 0
        # A change of the member record, and none of its instances'.
        assert instance(lab, "host1", "host2")["signer"] == before
    finally:
        lab("vswitchd", "host2", "start")
    lab.until(lambda: is_at(lab, "host1", "host2", "usable"), 30, instance(lab, "host1", "host2"))
    lab.until(lambda: "10.0.2.203:6379" in lab.groups("host1"))
    assert member(lab, "host1", "host2")["finding"] is None


def test_worker_down(lab, two):
    """Without its worker a host follows no change: others are better."""
    launcher, *children = lab.agent_pids("host2")
    worker = next(pid for pid in children if process_name(pid) == "agent-worker")
    lab.sh("host2", "kill", "-STOP", str(launcher))
    try:
        lab.sh("host2", "kill", "-KILL", str(worker))
        lab.until(lambda: is_at(lab, "host1", "host2", "host-fault"), 30, instance(lab, "host1", "host2"))
        assert "its worker is not running" in instance(lab, "host1", "host2")["reason"]
    finally:
        lab.sh("host2", "kill", "-CONT", str(launcher))
    lab.until(lambda: is_at(lab, "host1", "host2", "usable"), 30, instance(lab, "host1", "host2"))


def test_none_left(lab, two):
    for host in ("host1", "host2"):
        lab("container-down", host, "redis")
    for host in ("host1", "host2"):
        lab.until(lambda host=host: "no instance of redis can be used" in lab.ctl(host, "status", check=False).out)
        assert lab.ctl(host, "status", check=False).status == 1
    for host in ("host1", "host2"):
        lab.start_redis(host, 203)
    lab.until(lambda: lab.ctl("host1", "status", check=False).status == 0, 20)
