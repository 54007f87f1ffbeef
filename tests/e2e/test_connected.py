"""What the host itself is connected to, nobody else gets: a subnet of another
host that holds it, or lies in it, is refused for as long as it is so."""
import pytest

HOSTS = 2


def has_flows(lab, host):
    return "10.0.2.0/24" in lab.flows(host)


@pytest.fixture(scope="module", name="two", autouse=True)
def two_fixture(lab):
    lab.container("host1", "client", 101)
    lab.register("host2", "redis", 6379, lab.start_redis("host2", 203), "--port-name", "veth203")
    lab.until(lambda: lab.redis("host1/client", "redis.mesh.internal", "ping", seconds=1).out == "PONG\n")


@pytest.mark.parametrize("commands, words", [
    ((("addr", "add", "10.0.2.77/16", "dev", "sncon"),),
     "subnet 10.0.2.0/24 holds 10.0.2.77/32, this host's own address"),
    ((("addr", "add", "10.0.99.1/16", "dev", "sncon"),),
     "subnet 10.0.2.0/24 is a part of 10.0.0.0/16, which this host is connected to by sncon"),
    ((("route", "add", "default", "via", "10.0.2.9", "dev", "sncon", "onlink", "metric", "7"),),
     "subnet 10.0.2.0/24 holds 10.0.2.9/32, this host's gateway"),
], ids=["own", "part", "gateway"])
def test_refused_while_connected(lab, commands, words):
    assert has_flows(lab, "host1")
    lab.sh("host1", "ip", "link", "add", "sncon", "type", "veth", "peer", "sncon-peer")
    try:
        lab.sh("host1", "ip", "link", "set", "sncon-peer", "up")
        lab.sh("host1", "ip", "link", "set", "sncon", "up")
        for command in commands:
            lab.sh("host1", "ip", *command)
        lab.until(lambda: not has_flows(lab, "host1"), 20, words)
        lab.until(lambda: words in lab.log("host1"), 5, words)
    finally:
        lab.sh("host1", "ip", "link", "del", "sncon")
    lab.until(lambda: has_flows(lab, "host1"))
    lab.until(lambda: lab.redis("host1/client", "redis.mesh.internal", "ping", seconds=1).out == "PONG\n")


def test_routes_are_told_of(lab):
    """A route that covers the subnet is somebody's plan: told of, and no more."""
    lab.sh("host1", "ip", "link", "add", "sncon", "type", "veth", "peer", "sncon-peer")
    try:
        lab.sh("host1", "ip", "link", "set", "sncon-peer", "up")
        lab.sh("host1", "ip", "link", "set", "sncon", "up")
        lab.sh("host1", "ip", "route", "add", "10.0.0.0/14", "dev", "sncon")
        lab.sh("host1", "ip", "addr", "add", "192.0.2.1/32", "dev", "sncon")
        lab.until(lambda: "subnet 10.0.2.0/24 of host2 lies in the route 10.0.0.0/14 by sncon" in lab.log("host1"))
        assert has_flows(lab, "host1")
        assert lab.redis("host1/client", "redis.mesh.internal", "ping", seconds=2).out == "PONG\n"
    finally:
        lab.sh("host1", "ip", "link", "del", "sncon")
