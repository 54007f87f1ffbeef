"""The main job: found by function, moved, failed, restored."""
import ipaddress
import os
import re
import time

import pytest

HOSTS = 3
HOST_NAMES = {"host1", "host2", "host3"}


def who(lab, n):
    found = [lab.redis("host1/client", "redis.mesh.internal", "get", "whoami").out.strip() for _ in range(n)]
    return {name: found.count(name) for name in set(found)}


def serve(lab, *wanted):
    """A client on host1, and redis on these hosts and no other."""
    lab.container("host1", "client", 101)
    for host in ("host2", "host3"):
        address = lab.start_redis(host, 203)
        if host in wanted:
            lab.register(host, "redis", 6379, address, "--port-name", "veth203")
        else:
            lab.deregister(host, "redis", check=False)
    lab.until(lambda: set(who(lab, 10 * len(wanted))) == set(wanted), 30, wanted)


@pytest.fixture(name="one")
def one_fixture(lab):
    serve(lab, "host3")


@pytest.fixture(name="two")
def two_fixture(lab):
    serve(lab, "host2", "host3")


def test_container_finds_redis_by_function(lab):
    address = lab.start_redis("host3", 203)
    lab.container("host1", "client", 101)
    lab.register("host3", "redis", 6379, address, "--port-name", "veth203")
    lab.until(lambda: lab.redis("host1/client", "redis.mesh.internal", "ping").out == "PONG\n")


@pytest.mark.usefixtures("one")
def test_dns_answers_by_who_asks(lab):
    function = lab.json("host1", "service", "show", "redis")
    text = str(function)
    asked = lab.sh("host1/client", "dig", "+short", "redis.mesh.internal").out.strip()
    assert asked in text and ipaddress.ip_address(asked) in ipaddress.ip_network("100.80.0.0/12")
    # The host itself has the same; who else is in the mesh would get instances.
    assert lab.sh("host1", "dig", "@127.0.0.1", "+short", "redis.mesh.internal").out == asked + "\n"
    assert lab.instances("host1", "redis") == {"10.0.3.203"}
    # One name in both spellings, and none that nobody registered.
    assert lab.sh("host1/client", "dig", "+short", "REDIS.mesh.internal").out.strip() == asked
    unknown = lab.sh("host1/client", "dig", "nothing.mesh.internal").out
    assert "NXDOMAIN" in unknown and "SOA" in unknown
    nodata = lab.sh("host1/client", "dig", "AAAA", "redis.mesh.internal").out
    assert "NOERROR" in nodata and "SOA" in nodata


@pytest.mark.usefixtures("one")
def test_large_values_and_direct_addresses(lab, tmp_path):
    value = "x" * (1 << 20)
    (tmp_path / "value").write_text(value, encoding="ascii")
    with open(tmp_path / "value", "rb") as file:
        assert lab.sh("host1/client", "redis-cli", "-h", "redis.mesh.internal", "-x", "set", "big",
                      stdin=file).out == "OK\n"
    assert lab.redis("host1/client", "redis.mesh.internal", "get", "big", seconds=20).out == value + "\n"
    for place in ("host1/client", "host1", "host2", "host3"):
        assert lab.redis(place, "10.0.3.203", "ping").out == "PONG\n"
    assert lab.redis("host1", "redis.mesh.internal", "ping").out == "PONG\n"


@pytest.mark.usefixtures("one")
def test_second_instance_shares_the_load(lab):
    address = lab.start_redis("host2", 203)
    lab.register("host2", "redis", 6379, address, "--port-name", "veth203")
    lab.until(lambda: len(who(lab, 20)) == 2, 20)
    assert set(who(lab, 30)) == {"host2", "host3"}


@pytest.mark.usefixtures("two")
def test_deregistered_gets_nothing_new_open_ones_live(lab):
    open_ones = []
    for _ in range(8):
        process = lab.popen("host1/client", "redis-cli", "-h", "redis.mesh.internal",
                            stdin=-1, stdout=-1, text=True, bufsize=1)
        process.stdin.write("get whoami\n")
        process.stdin.flush()
        open_ones.append((process, process.stdout.readline().strip()))
    assert {name for _, name in open_ones} == {"host2", "host3"}
    lab.deregister("host3", "redis")
    lab.until(lambda: set(who(lab, 5)) == {"host2"})
    assert who(lab, 20) == {"host2": 20}
    for process, name in open_ones:
        process.stdin.write("get whoami\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() == name
        process.stdin.close()
        process.wait(10)


@pytest.mark.usefixtures("two")
def test_dead_host_is_withdrawn_and_comes_back(lab):
    lab("kill", "host3")
    lab.until(lambda: lab.states("host1").get("host3") == "dead", 60)
    lab.until(lambda: "10.0.3.203" not in lab.groups("host1"))
    assert "10.0.3.203" not in lab.instances("host1", "redis")
    assert who(lab, 10) == {"host2": 10}
    lab("revive", "host3")
    lab.all_alive(sorted(HOST_NAMES), 60)
    lab.until(lambda: set(who(lab, 20)) == {"host2", "host3"}, 40)


# Asks without a pause until the file is gone; a line each: began, ended, what
# came.  A tenth of a second after a failure, so that they do not fill the log.
LOOP = """
while [ -e "$1" ]; do
    start=$EPOCHREALTIME
    answer=$(timeout 2 redis-cli -h "$2" ping 2>&1 | tr '\n' ' ')
    echo "$start $EPOCHREALTIME $answer"
    [ "$answer" = "PONG " ] || sleep 0.1
done"""


class Requests:
    """Requests to one name or address from host1's container, in the
    background."""

    def __init__(self, lab, target):
        self.lab = lab
        self.flag = lab.path("host1", "etc", f"asking-{target}")
        self.log = lab.path("host1", "etc", f"asked-{target}")
        with open(self.flag, "w", encoding="ascii"), open(self.log, "w", encoding="ascii") as log:
            self.process = lab.popen("host1/client", "bash", "-c", LOOP, "loop", self.flag, target,
                                     stdout=log)

    def answered(self):
        with open(self.log, encoding="ascii") as log:
            return sum(line.endswith("PONG \n") for line in log)

    def more(self, n=10):
        """Waits for n answers more."""
        wanted = self.answered() + n
        self.lab.until(lambda: self.answered() >= wanted, 30, f"{n} answers more")

    def ended(self):
        """(began, ended, answer) of all, once the last has come."""
        os.unlink(self.flag)
        self.process.wait(30)
        with open(self.log, encoding="ascii") as log:
            lines = [line.rstrip("\n").split(" ", 2) for line in log]
        return [(float(began), float(ended), answer) for began, ended, answer in lines]


@pytest.mark.usefixtures("two")
def test_agent_restart_breaks_nothing(lab):
    """What the agent set up goes on without it: no request to an address
    fails.  Names are answered by the agent itself, the container's only
    resolver: requests by name may fail while it is stopped, and no others."""
    service = lab.sh("host1/client", "dig", "+short", "redis.mesh.internal").out.strip()
    before = lab.flows("host1")
    by_address, by_name = Requests(lab, service), Requests(lab, "redis.mesh.internal")
    by_address.more()
    by_name.more()

    stopped = time.time()
    lab("agent", "host1", "stop")
    assert sorted(lab.flows("host1").splitlines()) == sorted(before.splitlines())
    by_address.more(30)
    lab("agent", "host1", "start")
    lab.until(lambda: lab.sh("host1/client", "dig", "+short", "redis.mesh.internal").out.strip() == service)
    started = time.time()
    by_address.more()
    by_name.more()

    failed = [request for request in by_address.ended() if request[2] != "PONG "]
    assert not failed
    failed = [request for request in by_name.ended() if request[2] != "PONG "]
    assert all(ended >= stopped and began <= started for began, ended, _ in failed), (stopped, started, failed)


@pytest.mark.usefixtures("one")
def test_vswitchd_restart_is_repaired(lab):
    lab("vswitchd", "host1", "kill")
    lab.until(lambda: lab.ctl("host1", "status", check=False).status == 1)
    assert re.search(r"ovs-vswitchd|Open vSwitch", lab.ctl("host1", "status", check=False).out)
    lab("vswitchd", "host1", "start")
    lab.until(lambda: lab.redis("host1/client", "redis.mesh.internal", "ping").out == "PONG\n", 30)
    lab.until(lambda: lab.ctl("host1", "status", check=False).status == 0)
