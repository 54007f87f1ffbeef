"""Two hosts that do not reach each other while the rest of the cluster reaches
both: nobody is dead, traffic goes where it can."""
HOSTS = 3
# The way to a member is cut when three probes in a row were answered by a
# detour only (gossip/node/suspicion.c), and with two others each is probed
# every two seconds: 7 to 10 s here.  Far more than that, for a busy machine.
SOON = 60


def who(lab, n):
    found = [lab.redis("host1/client", "redis.mesh.internal", "get", "whoami").out.strip() for _ in range(n)]
    return set(found)


def serve(lab, *wanted):
    """A client on host1, and redis on these hosts and no other; nothing cut."""
    lab("heal")
    lab.container("host1", "client", 101)
    for host in ("host2", "host3"):
        address = lab.start_redis(host, 203)
        if host in wanted:
            lab.register(host, "redis", 6379, address, "--port-name", "veth203")
        else:
            lab.deregister(host, "redis", check=False)
    lab.until(lambda: who(lab, 6 * len(wanted)) == set(wanted), 30, wanted)


def test_unreachable_instance_leaves_the_group_while_another_is_reachable(lab):
    serve(lab, "host2", "host3")

    lab("cut", "host1", "host2")
    lab.until(lambda: "10.0.2.203" not in lab.groups("host1"), SOON)
    assert who(lab, 8) == {"host3"}
    # The others hold everybody for alive, and so does host1 of host2.
    assert lab.states("host3") == dict.fromkeys(("host1", "host2", "host3"), "alive")
    assert lab.states("host1")["host2"] in ("alive", "suspect")
    assert "10.0.2.203" in lab.groups("host3")

    lab("heal")
    lab.until(lambda: "10.0.2.203" in lab.groups("host1"), SOON)
    lab.until(lambda: who(lab, 12) == {"host2", "host3"}, SOON)
    lab.all_alive(["host1", "host2", "host3"])


def test_last_instance_is_kept_when_none_is_reachable(lab):
    serve(lab, "host2")
    lab("cut", "host1", "host2")
    lab.until(lambda: not next(m for m in lab.json("host1", "members")["members"]
                               if m["name"] == "host2")["reachable"], SOON)
    assert "10.0.2.203" in lab.groups("host1")
    lab("heal")
    lab.until(lambda: who(lab, 2) == {"host2"}, SOON)
