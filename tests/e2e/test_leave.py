"""`agent leave`: everywhere at once, and nothing of ours stays behind."""
import re
import time

import pytest

HOSTS = 3
OFCTL = ("ovs-ofctl", "-O", "OpenFlow15")
FOREIGN = ("cookie=0xabc,table=0,priority=30000,in_port=77,actions=drop",
           "cookie=0x0,table=7,priority=77,ip,nw_dst=192.0.2.7,actions=drop")


def texts(result):
    return result.out + result.err


def foreign(lab):
    flows = [line for line in lab.flows("host2").splitlines() if "in_port=77" in line or "192.0.2.7" in line]
    groups = [line for line in lab.groups("host2").splitlines() if "group_id=7," in line]
    ports = lab.sh("host2", "ovs-vsctl", "list-ports", "socket").out.split()
    return len(flows), len(groups), "veth77" in ports


def join_again(lab):
    lab.sh("host2", "agent", "reset", "--yes")
    lab("agent", "host2", "join", "100.104.70.1")
    lab("agent", "host2", "start")
    for host in ("host1", "host2", "host3"):
        lab.until(lambda host=host: lab.states(host).get("host2") == "alive", 20, lab.states(host))


def prepare(lab):
    """host2 a member, with an instance and with things of others."""
    if lab.states("host1")["host2"] == "left":
        join_again(lab)
    lab.container("host1", "client", 101)
    lab.container("host2", "stranger", 77)
    for flow in FOREIGN:
        lab.sh("host2", *OFCTL, "add-flow", "socket", flow)
    lab.sh("host2", *OFCTL, "--may-create", "mod-group", "socket", "group_id=7,type=all,bucket=actions=drop")
    for host in ("host2", "host3"):
        address = lab.start_redis(host, 203)
        lab.register(host, "redis", 6379, address, "--port-name", "veth203")
    for host in ("host1", "host3"):
        lab.until(lambda host=host: "10.0.2.203" in lab.groups(host))
    assert foreign(lab) == (2, 1, True)


@pytest.fixture(name="left")
def left_fixture(lab):
    """host2 has left."""
    if lab.states("host1")["host2"] != "left":
        prepare(lab)
        lab.sh("host2", "agent", "leave", "--yes")
        lab.until(lambda: lab.states("host1")["host2"] == "left")


@pytest.fixture(name="agent")
def agent_fixture(lab):
    """host2's agent as a child of ours, for its exit status."""
    prepare(lab)
    lab("agent", "host2", "stop")
    with open(lab.path("host2", "..", "log", "agent-2.log"), "a", encoding="ascii") as log:
        process = lab.popen("host2", "agent", "run", stdout=log, stderr=log)
    lab.until(lambda: lab.ctl("host2", "members", check=False).status == 0)
    lab.all_alive(["host1", "host2", "host3"])
    yield process
    if process.poll() is None:
        process.terminate()


def test_instances_are_gone_everywhere_at_once(lab, agent):
    left = lab.popen("host2", "agent", "leave", "--yes", stdout=-1, stderr=-1, text=True)
    start = time.monotonic()
    for host in ("host1", "host3"):
        lab.until(lambda host=host: "10.0.2.203" not in lab.groups(host), 5)
        assert lab.states(host)["host2"] == "left"
        shown = str(lab.json(host, "service", "show", "redis"))
        assert "10.0.3.203" in shown and "10.0.2.203" not in shown
        assert lab.instances(host, "redis") == {"10.0.3.203"}
    assert time.monotonic() - start < 5
    assert left.wait(20) == 0, left.communicate()
    assert "left" in left.stdout.read()
    assert agent.wait(5) == 0
    assert lab.ctl("host2", "members", check=False).status == 3
    for _ in range(10):
        assert lab.redis("host1/client", "redis.mesh.internal", "get", "whoami").out == "host3\n"


@pytest.mark.usefixtures("left")
def test_nothing_of_ours_stays(lab):
    assert "cookie=0x736e" not in lab.flows("host2")
    assert set(re.findall(r"group_id=(\d+)", lab.groups("host2"))) == {"7"}
    ports = lab.sh("host2", "ovs-vsctl", "list-ports", "socket").out.split()
    assert sorted(ports) == ["veth203", "veth77"]
    assert "socketnet" not in lab.sh("host2", "ovs-vsctl", "list", "interface").out
    assert "vx-socket" not in lab.sh("host2", "ip", "link").out
    assert "proto 115" not in lab.sh("host2", "ip", "route", "show", "table", "all").out
    assert "10.0.2.1/" not in lab.sh("host2", "ip", "-o", "addr").out
    assert foreign(lab) == (2, 1, True)
    # On the others, what led there is gone as well.
    for host in ("host1", "host3"):
        lab.until(lambda host=host: "10.0.2.0/24" not in lab.sh(host, "ip", "route").out, 5)
        assert "100.104.70.2" not in lab.sh(host, "bridge", "fdb", "show", "dev", "vx-socket").out


@pytest.mark.usefixtures("left")
def test_run_again_says_what_to_do(lab):
    result = lab.sh("host2", "timeout", "20", "agent", "run", check=False)
    assert result.status not in (0, 124), result
    assert "left" in texts(result) and "agent reset" in texts(result) and "agent join" in texts(result), result
    join = lab.sh("host2", "agent", "join", "100.104.70.1", "--token",
                  lab.ctl("host1", "token", "create", "--open").out.strip(), check=False)
    assert join.status != 0 and "reset" in texts(join), join


@pytest.mark.usefixtures("left")
def test_joins_again_after_reset(lab):
    join_again(lab)
    assert foreign(lab) == (2, 1, True)
    # By its old name, with its old subnet, and only one host2.
    for host in ("host1", "host2", "host3"):
        names = [member["name"] for member in lab.json(host, "members")["members"]]
        assert sorted(names) == ["host1", "host2", "host3"], names
    lab.register("host2", "redis", 6379, "10.0.2.203", "--port-name", "veth203")
    lab.until(lambda: "10.0.2.203" in lab.groups("host1"))
    lab.until(lambda: lab.redis("host1/client", "10.0.2.203", "get", "whoami").out == "host2\n")
    seen = {lab.redis("host1/client", "redis.mesh.internal", "get", "whoami").out for _ in range(30)}
    assert seen == {"host2\n", "host3\n"}
    assert foreign(lab) == (2, 1, True)
