"""A host's disk is copied and started beside it, WireGuard key, address and
all: one of the two stops writing and says so, and docs/OPERATIONS ends it."""
import shutil

HOSTS = 3


def is_twin(lab, host):
    return any(p["id"] == "twin" for p in lab.api(host, "/api/v1/status")["problems"])


def clone(lab, source, target):
    """The target becomes a copy of the source, which runs again after it."""
    for host in (source, target):
        lab("agent", host, "stop")
    shutil.rmtree(lab.path(target, "lib", "db"))
    # Ownership too, as cp -a has it.
    lab.sh(target, "cp", "-a", lab.path(source, "lib") + "/.", "/var/lib/socketnet/")
    lab.sh(target, "cp", "-a", lab.path(source, "etc", "agent.yaml"), "/etc/socketnet/agent.yaml")
    lab.sh(target, "wg", "set", "nm-privacy", "private-key", lab.path(source, "wg.key"))
    lab.sh(target, "ip", "address", "del", f"100.104.70.{target[4:]}/24", "dev", "nm-privacy")
    lab.sh(target, "ip", "address", "add", f"100.104.70.{source[4:]}/24", "dev", "nm-privacy")


def test_cloned_disk(lab):
    lab.register("host2", "store", 6379, "10.0.2.30")
    clone(lab, "host2", "host3")
    lab("agent", "host2", "start")
    lab.until(lambda: lab.states("host1").get("host2") == "alive", 30)
    lab("agent", "host3", "start")
    # Two hosts with one WireGuard key take the session from each other, and only
    # one of them hears anything until the next handshake: it takes its time.
    lab.until(lambda: is_twin(lab, "host2") or is_twin(lab, "host3"), 400)
    loser, winner = ("host2", "host3") if is_twin(lab, "host2") else ("host3", "host2")
    assert lab.ctl(loser, "status", check=False).status == 1
    assert "twin" in lab.ctl(loser, "status", check=False).out
    refused = lab.register(loser, "more", 80, "10.0.2.31", check=False)
    assert refused.status == 2 and "stopped writing" in refused.err, refused
    # It is quiet now: the other is not outbid any more, and serves.
    lab("agent", loser, "kill")
    lab.until(lambda: lab.register(winner, "more", 80, "10.0.2.31", check=False).status == 0, 30)
    lab.until(lambda: "more" in lab.ctl("host1", "service", "ls").out, 30)
    assert not is_twin(lab, winner)
