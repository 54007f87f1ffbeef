"""Two hosts that do not reach each other while the rest of the cluster reaches
both: nobody is dead, traffic goes where it can."""
HOSTS = 3


def who(lab, n):
    found = [lab.redis("host1/client", "redis.mesh.internal", "get", "whoami").out.strip() for _ in range(n)]
    return set(found)


def test_unreachable_instance_leaves_the_group_while_another_is_reachable(lab):
    for host in ("host2", "host3"):
        address = lab.start_redis(host, 203)
        lab.register(host, "redis", 6379, address, "--port-name", "veth203")
    lab("container", "host1", "client", 101)
    lab.until(lambda: who(lab, 12) == {"host2", "host3"})

    lab("cut", "host1", "host2")
    lab.until(lambda: "10.0.2.203" not in lab.groups("host1"), 60)
    assert who(lab, 8) == {"host3"}
    # The others hold everybody for alive, and so does host1 of host2.
    assert lab.states("host3") == dict.fromkeys(("host1", "host2", "host3"), "alive")
    assert lab.states("host1")["host2"] in ("alive", "suspect")
    assert "10.0.2.203" in lab.groups("host3")

    lab("heal")
    lab.until(lambda: "10.0.2.203" in lab.groups("host1"), 60)
    lab.until(lambda: who(lab, 12) == {"host2", "host3"}, 30)
    lab.all_alive(["host1", "host2", "host3"])


def test_last_instance_is_kept_when_none_is_reachable(lab):
    lab.deregister("host3", "redis")
    lab.until(lambda: who(lab, 4) == {"host2"})
    lab("cut", "host1", "host2")
    lab.until(lambda: not next(m for m in lab.json("host1", "members")["members"]
                               if m["name"] == "host2")["reachable"], 60)
    assert "10.0.2.203" in lab.groups("host1")
    lab("heal")
    lab.until(lambda: who(lab, 2) == {"host2"}, 60)
