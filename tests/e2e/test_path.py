"""The main job: found by function, moved, failed, restored."""
import ipaddress
import re
import time

HOSTS = 3


def test_container_finds_redis_by_function(lab):
    address = lab.start_redis("host3", 203)
    lab("container", "host1", "client", 101)
    lab.register("host3", "redis", 6379, address, "--port-name", "veth203")
    lab.until(lambda: lab.redis("host1/client", "redis.mesh.internal", "ping").out == "PONG\n")


def test_dns_answers_by_who_asks(lab):
    function = lab.json("host1", "service", "show", "redis")
    text = str(function)
    asked = lab.sh("host1/client", "dig", "+short", "redis.mesh.internal").out.strip()
    assert asked in text and ipaddress.ip_address(asked) in ipaddress.ip_network("100.80.0.0/12")
    assert lab.sh("host1", "dig", "@127.0.0.1", "+short", "redis.mesh.internal").out == "10.0.3.203\n"
    # One name in both spellings, and none that nobody registered.
    assert lab.sh("host1/client", "dig", "+short", "REDIS.mesh.internal").out.strip() == asked
    unknown = lab.sh("host1/client", "dig", "nothing.mesh.internal").out
    assert "NXDOMAIN" in unknown and "SOA" in unknown
    nodata = lab.sh("host1/client", "dig", "AAAA", "redis.mesh.internal").out
    assert "NOERROR" in nodata and "SOA" in nodata


def test_large_values_and_direct_addresses(lab):
    value = "x" * (1 << 20)
    with open("/tmp/e2e-value", "w", encoding="ascii") as file:
        file.write(value)
    with open("/tmp/e2e-value", "rb") as file:
        assert lab.sh("host1/client", "redis-cli", "-h", "redis.mesh.internal", "-x", "set", "big",
                      stdin=file).out == "OK\n"
    assert lab.redis("host1/client", "redis.mesh.internal", "get", "big", seconds=20).out == value + "\n"
    for place in ("host1/client", "host1", "host2", "host3"):
        assert lab.redis(place, "10.0.3.203", "ping").out == "PONG\n"
    assert lab.redis("host1", "redis.mesh.internal", "ping").out == "PONG\n"


def who(lab, n):
    found = [lab.redis("host1/client", "redis.mesh.internal", "get", "whoami").out.strip() for _ in range(n)]
    return {name: found.count(name) for name in set(found)}


def test_second_instance_shares_the_load(lab):
    address = lab.start_redis("host2", 203)
    lab.register("host2", "redis", 6379, address, "--port-name", "veth203")
    lab.until(lambda: len(who(lab, 20)) == 2, 20)
    assert set(who(lab, 30)) == {"host2", "host3"}


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


def test_dead_host_is_withdrawn_and_comes_back(lab):
    lab.register("host3", "redis", 6379, "10.0.3.203", "--port-name", "veth203")
    lab.until(lambda: set(who(lab, 20)) == {"host2", "host3"})
    lab("kill", "host3")
    lab.until(lambda: lab.states("host1").get("host3") == "dead", 60)
    lab.until(lambda: "10.0.3.203" not in lab.groups("host1"))
    assert "10.0.3.203" not in lab.sh("host1", "dig", "@127.0.0.1", "+short", "redis.mesh.internal").out
    assert who(lab, 10) == {"host2": 10}
    lab("revive", "host3")
    lab.all_alive(["host1", "host2", "host3"], 60)
    lab.until(lambda: set(who(lab, 20)) == {"host2", "host3"}, 40)


def test_agent_restart_breaks_nothing(lab):
    before = lab.flows("host1")
    loop = lab.popen("host1/client", "bash", "-c",
                     "for i in $(seq 150); do timeout 2 redis-cli -h redis.mesh.internal ping || echo FAILED; "
                     "sleep 0.02; done", stdout=-1, text=True)
    time.sleep(0.5)
    lab("agent", "host1", "stop")
    assert sorted(lab.flows("host1").splitlines()) == sorted(before.splitlines())
    lab("agent", "host1", "start")
    out, _ = loop.communicate(timeout=60)
    # A loopback resolver is the agent itself; the container asks it too, so
    # names resolve again as soon as it is back, and nothing else may fail.
    assert out.count("PONG") > 50
    assert lab.redis("host1/client", "redis.mesh.internal", "ping").out == "PONG\n"


def test_vswitchd_restart_is_repaired(lab):
    lab("vswitchd", "host1", "kill")
    lab.until(lambda: lab.ctl("host1", "status", check=False).status == 1)
    assert re.search(r"ovs-vswitchd|Open vSwitch", lab.ctl("host1", "status", check=False).out)
    lab("vswitchd", "host1", "start")
    lab.until(lambda: lab.redis("host1/client", "redis.mesh.internal", "ping").out == "PONG\n", 30)
    lab.until(lambda: lab.ctl("host1", "status", check=False).status == 0)
