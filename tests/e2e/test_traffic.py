"""What a function's clients see, judged by their traffic."""
HOSTS = 2


def who(lab, place, n):
    found = [lab.redis(place, "redis.mesh.internal", "get", "whoami").out.strip() for _ in range(n)]
    return {name: found.count(name) for name in set(found)}


def serve(lab, *hosts):
    """Redis on these hosts and no other."""
    for host in ("host1", "host2"):
        address = lab.start_redis(host, 203)
        if host in hosts:
            lab.register(host, "redis", 6379, address, "--port-name", "veth203")
        else:
            lab.deregister(host, "redis", check=False)
    lab.until(lambda: set(who(lab, "host1/redis", 10 * len(hosts))) == set(hosts), 30, hosts)


def test_container_calls_itself(lab):
    serve(lab, "host1")
    assert who(lab, "host1/redis", 20) == {"host1": 20}
    value = "x" * (1 << 20)
    lab.sh("host1/redis", "sh", "-c", "head -c 1048576 /dev/zero | tr '\\0' x | "
           "redis-cli -h redis.mesh.internal -x set big")
    assert lab.redis("host1/redis", "redis.mesh.internal", "get", "big", seconds=20).out == value + "\n"


def test_container_calls_itself_among_others(lab):
    serve(lab, "host1", "host2")
    found = who(lab, "host1/redis", 40)
    assert set(found) == {"host1", "host2"} and sum(found.values()) == 40, found
    # One group, which holds itself.
    groups = [line for line in lab.groups("host1").splitlines() if "10.0.1.203" in line]
    assert len(groups) == 1 and "10.0.2.203" in groups[0], groups
