"""An agent that starts again knows the others by its store alone: it says so,
and sends connections to those that it has heard since."""
HOSTS = 3


def who(lab, n):
    return {lab.redis("host1/client", "redis.mesh.internal", "get", "whoami").out.strip() for _ in range(n)}


def test_members_not_heard_since_the_start_get_nothing_while_another_was(lab):
    for host in ("host2", "host3"):
        address = lab.start_redis(host, 203)
        lab.register(host, "redis", 6379, address, "--port-name", "veth203")
    lab("container", "host1", "client", 101)
    lab.until(lambda: who(lab, 12) == {"host2", "host3"})

    # host3 goes while host1 does not look: in host1's store it is alive.
    lab("agent", "host1", "stop")
    lab("kill", "host3")
    lab("agent", "host1", "start")
    lab.until(lambda: lab.states("host1")["host2"] == "alive")
    lab.until(lambda: "10.0.3.203" not in lab.groups("host1"))
    member = next(m for m in lab.json("host1", "members")["members"] if m["name"] == "host3")
    assert member["state"] in ("not-heard", "suspect", "dead")
    assert member["heard"] is False and member["heard_ms_ago"] is None
    assert who(lab, 12) == {"host2"}
    assert [instance["node"] for instance in lab.json("host1", "resolve", "redis")["instances"]] == ["host2"]

    seen = set()
    lab.until(lambda: seen.add(lab.states("host1")["host3"]) or "dead" in seen, 60, seen)
    assert "alive" not in seen

    lab("revive", "host3")
    lab.all_alive(["host1", "host2", "host3"], 60)
    lab.until(lambda: who(lab, 12) == {"host2", "host3"}, 30)
