"""agentctl cluster freeze: all hosts apply nothing new until it is released."""

HOSTS = 2


def has(lab, host, address):
    return address in lab.flows(host) + lab.groups(host)


def test_freeze_and_release(lab):
    lab.register("host2", "before", 80, "10.0.2.40")
    lab.until(lambda: has(lab, "host1", "10.0.2.40"))
    refused = lab.ctl("host2", "cluster", "freeze", check=False)
    assert refused.status == 5 and "issuer" in refused.err, refused
    assert "frozen" in lab.ctl("host1", "cluster", "freeze", "--reason", "a new switch").out
    for host in ("host1", "host2"):
        lab.until(lambda host=host: "a new switch" in lab.ctl(host, "status", check=False).out)

    # Known to all, and applied by nobody: not even where it is registered.
    lab.register("host2", "meanwhile", 80, "10.0.2.41")
    lab.until(lambda: "meanwhile" in lab.ctl("host1", "service", "ls").out)
    # What stands is kept, and kept in order.
    flow = next(line for line in lab.flows("host1").splitlines() if "10.0.2.40" in line or "group" in line)
    assert flow and has(lab, "host1", "10.0.2.40")
    lab("agent", "host2", "stop")
    lab("agent", "host2", "start")
    lab.until(lambda: "a new switch" in lab.ctl("host2", "status", check=False).out, 30)
    assert not has(lab, "host1", "10.0.2.41")
    assert not has(lab, "host2", "10.0.2.41")

    assert "released" in lab.ctl("host1", "cluster", "release").out
    for host in ("host1", "host2"):
        lab.until(lambda host=host: has(lab, host, "10.0.2.41"), 30)
        lab.until(lambda host=host: "a new switch" not in lab.ctl(host, "status", check=False).out)
