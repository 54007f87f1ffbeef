"""An agent that only observes prints what it would do and changes nothing."""
import json
import re

import pytest

HOSTS = 3
OFCTL = ("ovs-ofctl", "-O", "OpenFlow15")


def snapshot(lab, host):
    """Everything on a host that an agent could change."""
    commands = {
        "switch": ("ovs-vsctl", "show"),
        "bridge": ("ovs-vsctl", "--columns=name,fail_mode,other_config,external_ids,protocols,ports",
                   "list", "bridge"),
        "ports": ("ovs-vsctl", "--columns=name,external_ids,ofport,ofport_request,mtu_request,error",
                  "list", "interface"),
        "flows": (*OFCTL, "--no-stats", "dump-flows", "socket"),
        "groups": (*OFCTL, "dump-groups", "socket"),
        "meters": (*OFCTL, "dump-meters", "socket"),
        "links": ("ip", "-o", "link"),
        "addresses": ("ip", "-o", "addr"),
        "routes": ("ip", "-o", "route", "show", "table", "all"),
        "routes of IPv6": ("ip", "-6", "-o", "route", "show", "table", "all"),
        "rules": ("ip", "rule"),
        "firewall": ("nft", "-s", "list", "ruleset"),
        "forwards": ("bridge", "fdb"),
        "bridge's sysctls": ("sysctl", "-a", "-r", "net.ipv4.conf.(all|socket|nm-privacy)"),
        "allowed addresses": ("wg", "show", "nm-privacy", "allowed-ips"),
    }
    # The kernel gives devices their own IPv6 addresses, a while after they came up.
    return {name: sorted(line for line in lab.sh(host, *command).out.splitlines()
                         if "fe80:" not in line and "ff00::" not in line)
            for name, command in commands.items()}


def is_untouched(lab, before):
    after = snapshot(lab, "host2")
    for name, lines in before.items():
        assert lines == after[name], name


@pytest.fixture(scope="module", name="before")
def before_fixture(lab):
    """host2 as it is without anything of ours, its agent observing."""
    lab("agent", "host2", "stop")
    lab.sh("host2", "bash", "-c", "cp -a /var/lib/socketnet /run/kept && agent reset --yes && "
           "cp -a /run/kept/. /var/lib/socketnet/")
    lab("container", "host2", "client", 101)
    before = snapshot(lab, "host2")
    assert not any("vx-socket" in line for line in before["links"])
    assert not any("cookie=0x736e" in line for line in before["flows"])
    lab("agent", "host2", "observe")
    lab.all_alive(["host1", "host2", "host3"])
    return before


def plan(lab):
    """What the observing agent printed last."""
    return lab.log("host2").rpartition("plan for bridge ")[2]


def test_plan_is_printed_in_readable_lines(lab, before):
    lab.until(lambda: "nothing was changed" in plan(lab))
    lines = plan(lab).splitlines()
    assert re.fullmatch(r"socket: \d+ flows, \d+ groups, \d+ routes, tunnel needed", lines[0]), lines[0]
    for word in ("would add flow table=", "would create vxlan device vx-socket",
                 "would add port vx-socket to socket", "would add route 10.0.3.0/24"):
        assert any(line.startswith(word) for line in lines), (word, lines)
    is_untouched(lab, before)


def test_services_of_others_change_the_plan_only(lab, before):
    address = lab.start_redis("host3", 203)
    lab.register("host3", "redis", 6379, address, "--port-name", "veth203")
    lab.until(lambda: "# redis" in plan(lab) and "nothing was changed" in plan(lab))
    # The plan is what would hold then: the group leads there by the tunnel.
    assert any(line.startswith("would add group") and "10.0.3.203" in line for line in plan(lab).splitlines())
    assert "pending" not in plan(lab)
    lab.register("host1", "web", 80, "10.0.1.50")
    lab.until(lambda: any(s["name"] == "web" for s in lab.json("host2", "service", "ls")["services"]))
    is_untouched(lab, before)
    # One of its own, which others use as they use any other.
    lab.register("host2", "own", 80, "10.0.2.101", "--port-name", "veth101")
    lab.until(lambda: any(s["name"] == "own" for s in lab.json("host3", "service", "ls")["services"]))
    lab.deregister("host1", "web")
    lab.until(lambda: all(s["name"] != "web" for s in lab.json("host2", "service", "ls")["services"]))
    is_untouched(lab, before)


def test_status_says_that_it_only_observes(lab, before):
    result = lab.ctl("host2", "status", check=False)
    assert "observ" in result.out and "--observe" in result.out, result
    assert lab.api("host2", "/api/v1/status")["worker"]["observing"] is True
    # What it would do is asked for like any other difference.
    result = lab.ctl("host2", "flow", "diff", "-o", "json", check=False)
    changes = json.loads(result.out)["changes"]
    assert result.status == 1 and any(change["what"] == "flow" for change in changes)
    is_untouched(lab, before)


def test_restarts_and_other_hands_change_nothing(lab, before):
    lab("vswitchd", "host2", "kill")
    lab("vswitchd", "host2", "start")
    lab.until(lambda: lab.api("host2", "/api/v1/status")["worker"]["ovs"]["up"], 30)
    lab("agent", "host2", "stop")
    lab("agent", "host2", "observe")
    lab.until(lambda: "nothing was changed" in plan(lab))
    after = snapshot(lab, "host2")
    # The switch's own devices are made anew by its restart: their indexes.
    before = {name: [re.sub(r"^\d+: ", "", line) for line in lines] for name, lines in before.items()}
    after = {name: [re.sub(r"^\d+: ", "", line) for line in lines] for name, lines in after.items()}
    for name in ("flows", "groups", "ports", "bridge", "firewall", "rules", "forwards"):
        assert before[name] == after[name], name
    assert not any("vx-socket" in line or "proto 115" in line for line in after["links"] + after["routes"])


@pytest.mark.usefixtures("before")
def test_run_as_usual_does_it(lab):
    address = lab.start_redis("host3", 203)
    lab.register("host3", "redis", 6379, address, "--port-name", "veth203")
    lab("agent", "host2", "stop")
    lab("agent", "host2", "start")
    lab.until(lambda: lab.redis("host2/client", "redis.mesh.internal", "ping").out == "PONG\n")
