"""Open vSwitch away, restarted, its bridge made anew, ports whose device is
another: the agent lives, says what is wrong, and heals."""
import re

import pytest

HOSTS = 2


def status(lab, host):
    return lab.ctl(host, "status", check=False)


def is_healthy(lab, host):
    return status(lab, host).status == 0


def healed(lab, host, seconds=30):
    """Healthy, and the switch holds exactly what is planned."""
    lab.until(lambda: is_healthy(lab, host), seconds, status(lab, host))
    lab.until(lambda: lab.ctl(host, "flow", "diff", check=False).status == 0, 10)


def ping_by_name(lab, place="host1/client"):
    return lab.redis(place, "redis.mesh.internal", "ping", seconds=1).out == "PONG\n"


@pytest.fixture(scope="module", name="redis")
def redis_fixture(lab):
    address = lab.start_redis("host2", 203)
    lab("container", "host1", "client", 101)
    lab.register("host2", "redis", 6379, address, "--port-name", "veth203")
    lab.until(lambda: ping_by_name(lab))
    return address


def test_started_without_open_vswitch(lab, redis):
    lab("agent", "host2", "stop")
    lab("vswitchd", "host2", "kill")
    lab("ovsdb", "host2", "kill")
    lab("agent", "host2", "start")
    # A member like any other, which says what it cannot do.
    lab.all_alive(["host1", "host2"])
    result = lab.until(lambda: r if (r := status(lab, "host2")).status == 1 else None)
    assert "ovsdb-server does not answer" in result.out and "running" in result.out, result
    assert any("ovs" in str(problem) for problem in lab.api("host2", "/api/v1/status")["problems"])
    # Without it services are written all the same.
    written = lab.register("host2", "web", 80, "10.0.2.50", check=False)
    assert written.status == 6 and "follows when it is back" in written.err, written
    lab.until(lambda: any(s["name"] == "web" for s in lab.json("host1", "service", "ls")["services"]))

    lab("ovsdb", "host2", "start")
    lab.until(lambda: "ovs-vswitchd does not answer" in status(lab, "host2").out)
    lab("vswitchd", "host2", "start")
    healed(lab, "host2")
    lab.until(lambda: ping_by_name(lab))
    lab.deregister("host2", "web")


def test_ovsdb_restarts(lab, redis):
    before = lab.flows("host1")
    lab("ovsdb", "host1", "kill")
    lab.until(lambda: "ovsdb-server does not answer" in status(lab, "host1").out)
    # ovs-vswitchd does nothing at all without its database, which includes
    # the userspace datapath's ports; the flows it keeps.
    lab("ovsdb", "host1", "start")
    healed(lab, "host1")
    lab.until(lambda: ping_by_name(lab), 10)
    assert sorted(lab.flows("host1").splitlines()) == sorted(before.splitlines())


def test_both_restart_as_an_upgrade_does(lab, redis):
    lab("vswitchd", "host1", "kill")
    lab("ovsdb", "host1", "kill")
    lab("ovsdb", "host1", "start")
    lab("vswitchd", "host1", "start")
    lab.until(lambda: ping_by_name(lab), 30)
    healed(lab, "host1")


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_bridge_made_anew(lab, redis, host):
    """As `ovs-vsctl del-br` and a configuration tool's add-br do."""
    vsctl = ("ovs-vsctl", "--timeout=10")
    names = [name for name in lab.sh(host, *vsctl, "list-ports", "socket").out.split() if name != "vx-socket"]
    lab.sh(host, *vsctl, "del-br", "socket")
    lab.until(lambda: "no bridge socket" in status(lab, host).out)
    assert "ovs-vsctl add-br socket" in status(lab, host).out
    lab.sh(host, *vsctl, "add-br", "socket", "--", "set", "bridge", "socket", "datapath_type=netdev",
           "fail_mode=secure", f"other_config:hwaddr=\"0a:00:00:00:0{host[4:]}:01\"")
    for name in names:
        lab.sh(host, *vsctl, "add-port", "socket", name)
    healed(lab, host)
    lab.until(lambda: ping_by_name(lab), 30)
    assert lab.redis(host, "10.0.2.203", "ping").out == "PONG\n"


def test_tunnel_device_deleted(lab, redis):
    for host in ("host1", "host2"):
        lab.sh(host, "ip", "link", "del", "vx-socket")
        lab.until(lambda host=host: "vx-socket" in lab.sh(host, "ip", "link").out, 10)
        healed(lab, host)
        lab.until(lambda: ping_by_name(lab), 10)


def test_tunnel_port_deleted(lab, redis):
    lab.sh("host1", "ovs-vsctl", "--timeout=10", "del-port", "vx-socket")
    lab.until(lambda: "vx-socket" in lab.sh("host1", "ovs-vsctl", "list-ports", "socket").out, 10)
    healed(lab, "host1")
    lab.until(lambda: ping_by_name(lab), 10)


def start_again(lab, host, name, number):
    """The container's next life: a new veth under the name of the old port."""
    lab("container-down", host, name)
    lab("container", host, name, number)


def test_container_restarts_under_its_port(lab, redis):
    """Open vSwitch keeps the port, dead, and calls it healthy."""
    def port():
        return (lab.sh("host2", "ovs-vsctl", "get", "port", "veth203", "external_ids", "tag").out,
                lab.sh("host2", "ovs-vsctl", "get", "interface", "veth203", "ofport", "ofport_request").out)
    lab.sh("host2", "ovs-vsctl", "set", "port", "veth203", "external_ids:whose=theirs")
    before = port()
    start_again(lab, "host2", "redis", 203)
    lab.sh("host2/redis", "redis-server", "--bind", redis, "--save", "", "--protected-mode", "no",
           "--daemonize", "yes", "--dir", "/tmp")
    lab.until(lambda: ping_by_name(lab), 20, status(lab, "host2"))
    healed(lab, "host2")
    # Its row, number and settings are what they were.
    lab.until(lambda: port() == before, 5, port())
    # And once more, by a request that somebody made.
    lab.sh("host2", "ovs-vsctl", "set", "interface", "veth203", "ofport_request=203")
    before = lab.until(lambda: p if "203" in (p := port())[1].splitlines()[0] else None)
    start_again(lab, "host2", "redis", 203)
    lab.until(lambda: lab.sh("host2/redis", "ping", "-c1", "-W1", "10.0.2.1", check=False).status == 0, 10)
    lab.until(lambda: port() == before, 5, port())
    lab.sh("host2/redis", "redis-server", "--bind", redis, "--save", "", "--protected-mode", "no",
           "--daemonize", "yes", "--dir", "/tmp")
    lab.until(lambda: ping_by_name(lab), 20)


def state(lab, host, name):
    """The instance's state as `service ls` shows it."""
    line, = [line for line in lab.ctl(host, "service", "ls").out.splitlines() if line.startswith(name + " ")]
    return line


def test_container_ends_and_comes_back(lab, redis):
    """Its port stays on the bridge, and Open vSwitch calls it healthy."""
    lab.until(lambda: f"nat(dst={redis}:6379)" in lab.groups("host2"))
    lab("container-down", "host2", "redis")
    lab.until(lambda: "pending: port veth203 on socket: device gone" in state(lab, "host2", "redis"), 5,
              state(lab, "host2", "redis"))
    lab.until(lambda: f"nat(dst={redis}:6379)" not in lab.groups("host2"), 5, lab.groups("host2"))
    assert "device gone" in status(lab, "host2").out
    lab("container", "host2", "redis", 203)
    lab.sh("host2/redis", "redis-server", "--bind", redis, "--save", "", "--protected-mode", "no",
           "--daemonize", "yes", "--dir", "/tmp")
    lab.until(lambda: ping_by_name(lab), 20, status(lab, "host2"))
    assert "pending" not in state(lab, "host2", "redis")
    healed(lab, "host2")


def test_container_nobody_registered_restarts(lab, redis):
    """A port of which no service record speaks is another's: named, left."""
    start_again(lab, "host1", "client", 101)

    def problem():
        text = status(lab, "host1").out
        return text if "veth101" in text and "del-port" in text else None
    text = lab.until(problem, 10, status(lab, "host1"))
    command = re.search("ovs-vsctl del-port socket veth101 && ovs-vsctl add-port socket veth101", text)
    assert command, text
    lab.sh("host1", "bash", "-c", command.group(0))
    healed(lab, "host1")
    lab.until(lambda: ping_by_name(lab), 10)
