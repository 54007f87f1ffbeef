"""A dead host and a stolen key: agentctl node remove."""
HOSTS = 3


def test_refused(lab):
    refused = lab.ctl("host2", "node", "remove", "host3", check=False)
    assert refused.status == 5 and "issuer" in refused.err, refused
    refused = lab.ctl("host1", "node", "remove", "host9", check=False)
    assert refused.status == 4 and "did you mean host" in refused.err, refused
    refused = lab.ctl("host1", "node", "remove", "host1", check=False)
    assert refused.status != 0 and "agent leave" in refused.err, refused
    refused = lab.ctl("host1", "node", "remove", "host3", check=False)
    assert refused.status != 0 and "host3 is alive" in refused.err and "--force" in refused.err, refused
    refused = lab.ctl("host1", "node", "remove", "host3", "--reason", "x" * 64, check=False)
    assert refused.status != 0 and "63" in refused.err, refused
    assert lab.states("host1")["host3"] == "alive"


def test_dead_host(lab):
    """Its name and addresses are free for the machine that takes its place."""
    lab.register("host3", "gone", 80, "10.0.3.40")
    lab.until(lambda: "10.0.3.40" in lab.flows("host1") + lab.groups("host1"))
    lab("kill", "host3")
    lab.until(lambda: lab.states("host1")["host3"] == "dead", 60)
    assert "removed host3" in lab.ctl("host1", "node", "remove", "host3", "--reason", "its disk").out
    for host in ("host1", "host2"):
        lab.until(lambda host=host: lab.states(host).get("host3") in (None, "removed"), 20, lab.states(host))
        lab.until(lambda host=host: "10.0.3.40" not in lab.flows(host) + lab.groups(host))
    assert "gone" not in lab.ctl("host2", "service", "ls").out
    # Once is enough.
    assert lab.ctl("host1", "node", "remove", "host3", check=False).status == 4
    # The machine comes back with all that it knew, and counts for nobody; made
    # anew it takes the name and the addresses.
    lab("revive", "host3")
    assert lab.states("host1").get("host3") in (None, "removed")
    lab("agent", "host3", "stop")
    lab.sh("host3", "agent", "reset", "--yes")
    token = lab.ctl("host1", "token", "create", "--subnet", "10.0.3.0/24").out.strip()
    lab.sh("host3", "agent", "join", "100.104.70.1", "--token", token)
    lab("agent", "host3", "start")
    lab.until(lambda: lab.states("host1").get("host3") == "alive", 30)
    lab.register("host3", "again", 80, "10.0.3.41")
    lab.until(lambda: "10.0.3.41" in lab.flows("host2") + lab.groups("host2"))


def test_stolen_key(lab):
    """Alive, and out at once: what it goes on saying counts for nobody."""
    lab.register("host2", "web", 80, "10.0.2.40")
    lab.until(lambda: "web" in lab.ctl("host1", "service", "ls").out)
    lab.ctl("host1", "node", "remove", "host2", "--force")
    lab.until(lambda: "web" not in lab.ctl("host1", "service", "ls").out)
    lab.register("host2", "more", 80, "10.0.2.41", "--no-wait", check=False)
    lab.until(lambda: lab.states("host1").get("host2") in (None, "removed"), 20, lab.states("host1"))
    assert "more" not in lab.ctl("host1", "service", "ls").out
    assert "10.0.2.4" not in lab.flows("host1") + lab.groups("host1")
