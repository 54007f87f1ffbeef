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

    # host2 goes on to say that host3 is alive, so that host1 holds it for
    # alive as long as it does not hear it.
    lab("agent", "host1", "stop")
    lab("cut", "host1", "host3")
    lab.until(lambda: lab.sh("host1", "ping", "-c", "1", "-W", "1", "100.104.70.3", check=False).status != 0, 60)
    lab("agent", "host1", "start")
    lab.until(lambda: lab.states("host1")["host2"] == "alive")
    lab.until(lambda: "10.0.3.203" not in lab.groups("host1"))
    assert who(lab, 12) == {"host2"}
    assert lab.states("host1")["host3"] in ("not-heard", "suspect")
    member = next(m for m in lab.json("host1", "members")["members"] if m["name"] == "host3")
    assert member["heard"] is False and member["heard_ms_ago"] is None
    lab.until(lambda: "not heard since start" in lab.ctl("host1", "members").out)
    lab.until(lambda: "1 not heard since start" in lab.ctl("host1", "status", check=False).out)
    lab.until(lambda: 'socketnet_members{state="not-heard"} 1' in
              lab.sh("host1", "curl", "-sS", "--unix-socket", "/run/socketnet/api.sock", "http://agent/metrics").out)
    resolved = lab.json("host1", "resolve", "redis")
    assert [instance["node"] for instance in resolved["instances"]] == ["host2"]
    assert [instance["state"] in ("not-heard", "unreachable") for instance in resolved["unusable"]] == [True]

    lab("heal")
    lab.all_alive(["host1", "host2", "host3"], 60)
    lab.until(lambda: who(lab, 12) == {"host2", "host3"}, 30)
