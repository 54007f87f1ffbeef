"""What is not ours on the bridge survives everything; ours goes when told."""
HOSTS = 2

FLOW = "cookie=0xabc,table=0,priority=30000,in_port=77,actions=drop"
# In one of our tables, with the cookie of nobody.
SECOND = "cookie=0x0,table=7,priority=77,ip,nw_dst=192.0.2.7,actions=drop"


def foreign(lab, host="host1"):
    """The foreign flow, group and port, as the switch has them."""
    flows = [line for line in lab.flows(host).splitlines() if "in_port=77" in line or "192.0.2.7" in line]
    groups = [line for line in lab.groups(host).splitlines() if "group_id=7," in line]
    ports = lab.sh(host, "ovs-vsctl", "list-ports", "socket").out.split()
    return len(flows), len(groups), "veth77" in ports


def add_foreign(lab, host="host1"):
    lab.container(host, "stranger", 77)
    ofctl = ("ovs-ofctl", "-O", "OpenFlow15")
    lab.sh(host, *ofctl, "add-flow", "socket", FLOW)
    lab.sh(host, *ofctl, "add-flow", "socket", SECOND)
    lab.sh(host, *ofctl, "add-group", "socket", "group_id=7,type=all,bucket=actions=drop")
    assert foreign(lab, host) == (2, 1, True)


def test_foreign_things_survive(lab):
    add_foreign(lab)

    lab.register("host1", "web", 80, "10.0.1.50", "--port-name", "veth77")
    lab.deregister("host1", "web")
    assert foreign(lab) == (2, 1, True)

    lab("agent", "host1", "stop")
    lab("agent", "host1", "start")
    lab.until(lambda: lab.ctl("host1", "status", check=False).status == 0)
    assert foreign(lab) == (2, 1, True)
    assert "2 and 1 of others" in lab.ctl("host1", "flow", "ls").err + lab.ctl("host1", "flow", "ls").out


def test_a_correct_switch_is_not_written_to(lab):
    """Starting on a switch that holds the plan changes nothing."""
    before = lab.sh("host1", "ovs-ofctl", "-O", "OpenFlow15", "dump-flows", "socket").out
    lab("agent", "host1", "stop")
    lab("agent", "host1", "start")
    lab.until(lambda: lab.ctl("host1", "status", check=False).status == 0)
    after = lab.sh("host1", "ovs-ofctl", "-O", "OpenFlow15", "dump-flows", "socket").out

    # A rewritten flow would be young: durations only grow when left alone.
    def ages(text):
        found = {}
        for line in text.splitlines():
            fields = dict(part.split("=", 1) for part in line.replace(",", " ").split() if "=" in part)
            if "duration" in fields:
                key = line[line.index("priority="):] if "priority=" in line else line.split(" ")[-1]
                found[fields.get("table", "0") + key] = float(fields["duration"].rstrip("s"))
        return found
    old, new = ages(before), ages(after)
    assert old and set(old) == set(new)
    assert all(new[key] >= old[key] for key in old)


def test_own_flow_deleted_by_somebody_is_repaired(lab):
    count = len(lab.flows("host1").splitlines())
    lab.sh("host1", "ovs-ofctl", "-O", "OpenFlow15", "--strict", "del-flows", "socket", "table=3,priority=50,ip")
    lab.until(lambda: len(lab.flows("host1").splitlines()) == count)
    assert lab.json("host1", "flow", "diff")["changes"] == []


def test_reset_removes_exactly_ours(lab):
    add_foreign(lab, "host2")
    refused = lab.sh("host2", "agent", "reset", "--yes", check=False)
    assert refused.status != 0 and "runs" in refused.err + refused.out
    lab("agent", "host2", "stop")
    dry = lab.sh("host2", "agent", "reset", "--dry-run")
    assert "flow" in dry.out and foreign(lab, "host2") == (2, 1, True)
    assert "cookie=0x736e" in lab.flows("host2")
    lab.sh("host2", "agent", "reset", "--yes")
    assert foreign(lab, "host2") == (2, 1, True)
    assert "cookie=0x736e" not in lab.flows("host2")
    assert "vx-socket" not in lab.sh("host2", "ip", "link").out
    assert "vx-socket" not in lab.sh("host2", "ovs-vsctl", "list-ports", "socket").out
    assert "proto 115" not in lab.sh("host2", "ip", "route").out
