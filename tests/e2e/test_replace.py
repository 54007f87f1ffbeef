"""A host that is made anew takes its own place again, and nobody else's: a
reinstalled host, a stolen key.  docs/OPERATIONS.md has the same commands."""
import os

from socketnet_wire import MESSAGE_RECORD, RECORD_SERVICE, make_record, message, service_body
from test_identity import instances, problems, stolen
from test_injection import injector, send

HOSTS = 3


def wipe(lab, host):
    """A new disk: everything of the agent is gone but its configuration, and
    what it had put into the switch."""
    lab.sh(host, "bash", "-c", "rm -rf /var/lib/socketnet/* && ovs-vsctl --if-exists del-port socket vx-socket;"
                               "ovs-ofctl -O OpenFlow15 del-flows socket; ovs-ofctl -O OpenFlow15 del-groups socket;"
                               "ip link del vx-socket 2>/dev/null || true")


def reaches(lab, address):
    return lab.redis("host1/client", address, "get", "whoami").out


def key_of(lab, name):
    return {m["name"]: m["key"] for m in lab.json("host1", "members")["members"]}.get(name)


def test_reinstalled_host(lab):
    """Its disk is gone; it joins under its name and addresses in one step, and
    its containers reach their services on the other hosts."""
    lab.container("host1", "client", 101)
    address = lab.start_redis("host3", 203)
    lab.register("host3", "redis", 6379, address, "--port-name", "veth203")
    service = lab.until(lambda: lab.json("host1", "resolve", "redis")["address"])
    lab.until(lambda: reaches(lab, service).strip() == "host3", 30)
    other = lab.start_redis("host2", 210, "store")
    lab.register("host2", "store", 6379, other, "--port-name", "veth210")
    store = lab.until(lambda: lab.json("host3", "resolve", "store")["address"])
    lab.until(lambda: lab.redis("host3/redis", store, "ping").out == "PONG\n", 30)
    old = key_of(lab, "host3")

    lab("agent", "host3", "kill")
    wipe(lab, "host3")
    # A token that does not name it is of no use, nor is one while it is alive.
    token = lab.ctl("host1", "token", "create", "--open").out.strip()
    refused = lab.sh("host3", "agent", "join", "100.104.70.1", "--replace", "--token", token, check=False)
    assert refused.status == 1 and "names no host" in refused.err, refused
    token = lab.ctl("host1", "token", "create", "--name", "host3").out.strip()
    lab.until(lambda: lab.states("host1")["host3"] == "dead", 60)
    joined = lab.sh("host3", "agent", "join", "100.104.70.1", "--replace", "--token", token)
    assert "node     host3 at 100.104.70.3:7720" in joined.out, joined
    lab("agent", "host3", "start")
    lab.all_alive(["host1", "host2", "host3"], 60)
    assert key_of(lab, "host3") not in (None, old)
    assert "redis" not in [s["name"] for s in lab.json("host1", "service", "ls")["services"] if s["instances"]]
    lab.until(lambda: lab.redis("host3/redis", store, "ping").out == "PONG\n", 30)
    lab.register("host3", "redis", 6379, address, "--port-name", "veth203")
    lab.until(lambda: reaches(lab, service).strip() == "host3", 30)


def test_alive_is_not_replaced(lab):
    """Whoever has a token for a host that runs cannot push it out."""
    token = lab.ctl("host1", "token", "create", "--name", "host3").out.strip()
    lab.sh("host2", "bash", "-c", "mkdir -p /run/third; printf 'name: host3\\nstate_dir: /run/third/lib\\n"
                                  "run_dir: /run/third/run\\nmesh: {address: 100.104.70.3}\\n' >/run/third/agent.yaml")
    refused = lab.sh("host2", "agent", "join", "100.104.70.1", "--replace", "--token", token, "--config",
                     "/run/third/agent.yaml", check=False)
    assert refused.status == 1 and 'node "host3" cannot be replaced now: it is alive' in refused.err, refused
    assert lab.states("host1")["host3"] == "alive"


def test_stolen_key(lab):
    """The key is revoked at once; the host itself joins anew, and what still
    has the stolen key counts for nobody."""
    lab.register("host2", "web", 80, "10.0.2.40")
    lab.until(lambda: "web" in lab.ctl("host1", "service", "ls").out)
    stolen = lab.path("host2", "lib", "node.key")
    with open(stolen, "rb") as file:
        key = file.read()
    lab.ctl("host1", "node", "remove", "host2", "--force", "--reason", "its key was stolen")
    lab.until(lambda: lab.states("host1").get("host2") in (None, "removed"), 20)
    lab("agent", "host2", "stop")
    lab.sh("host2", "agent", "reset", "--yes")
    token = lab.ctl("host1", "token", "create", "--name", "host2", "--subnet", "10.0.2.0/24").out.strip()
    lab.sh("host2", "agent", "join", "100.104.70.1", "--token", token)
    lab("agent", "host2", "start")
    lab.all_alive(["host1", "host2", "host3"], 60)
    with open(stolen, "rb") as file:
        assert file.read() != key
    assert "web" not in [s["name"] for s in lab.json("host1", "service", "ls")["services"] if s["instances"]]
    lab.register("host2", "web", 80, "10.0.2.41")
    lab.until(lambda: "10.0.2.41" in lab.flows("host1") + lab.groups("host1"))


def rotate(lab, host):
    """As docs/OPERATIONS.md says."""
    token = lab.ctl("host1", "token", "create", "--name", host).out
    lab("agent", host, "stop")
    with open(lab.path(host, "etc", "token"), "w", encoding="ascii") as file:
        file.write(token)
    rotated = lab.sh(host, "agent", "key", "rotate", "--token-file", "/etc/socketnet/token", check=False, timeout=120)
    os.unlink(lab.path(host, "etc", "token"))
    assert rotated.status == 0 and f"{host} of lab has new keys" in rotated.out, rotated
    lab("agent", host, "start")


def test_rotated_keys(lab):
    """Other keys, the same node: what it offers is offered again."""
    lab.register("host2", "kept", 80, "10.0.2.44")
    lab.until(lambda: instances(lab, "host1", "kept"))
    old = key_of(lab, "host2")
    refused = lab.sh("host2", "agent", "key", "rotate", check=False)
    assert refused.status == 2 and "token" in refused.err, refused
    token = lab.ctl("host1", "token", "create", "--name", "host2").out.strip()
    refused = lab.sh("host2", "agent", "key", "rotate", "--token", token, check=False)
    assert refused.status == 1 and "an agent runs here" in refused.err, refused
    rotate(lab, "host2")
    lab.all_alive(["host1", "host2", "host3"], 60)
    assert key_of(lab, "host2") not in (None, old)
    lab.until(lambda: "host2" in instances(lab, "host1", "kept"))
    lab.until(lambda: "10.0.2.44" in lab.flows("host1") + lab.groups("host1"))
    assert not os.path.exists(lab.path("host2", "lib", "join.key"))


def test_frozen_node(lab):
    """Two of host2's records contradict each other; under new keys it is used again."""
    lab.register("host2", "thaw", 80, "10.0.2.45")
    lab.until(lambda: instances(lab, "host1", "thaw"))
    _, own, _, _, sender = injector(lab)
    keys, serial = stolen(lab, "host2")
    epoch = lab.api("host2", "/api/v1/status")["epoch"]
    two = [make_record(keys, own.cluster, RECORD_SERVICE, b"evil/" + name.encode(),
                       service_body("evil", name, "10.0.2.66"), serial=serial, epoch=epoch, seq=10 ** 6)
           for name in ("a", "b")]
    send(lab, [sender.packet(message(MESSAGE_RECORD, record)) for record in two])
    lab.until(lambda: "frozen" in problems(lab, "host2")[1])
    lab.until(lambda: instances(lab, "host1", "thaw")["host2"]["state"] == "frozen")
    rotate(lab, "host2")
    lab.until(lambda: instances(lab, "host1", "thaw").get("host2", {}).get("state") == "usable", 60)
    assert "frozen" not in problems(lab, "host2")[1]
    lab.register("host2", "more", 80, "10.0.2.46")
    lab.until(lambda: "10.0.2.46" in lab.flows("host1") + lab.groups("host1"))
    assert "evil" not in lab.ctl("host1", "service", "ls").out
    lab("agent", "host3", "start")


def test_provisioned(lab):
    """A host that reaches nobody: its request and the answer are files."""
    say = ("mkdir -p /run/fourth; printf 'name: host4\\nstate_dir: /run/fourth/lib\\nrun_dir: /run/fourth/run\\n"
           "mesh: {address: 100.104.70.44}\\n' >/run/fourth/agent.yaml")
    config = ("--config", "/run/fourth/agent.yaml")
    lab.sh("host3", "bash", "-c", say)
    early = lab.sh("host3", "agent", "join", "--answer", "/run/fourth/answer", *config, check=False)
    assert early.status == 1 and "agent join --request" in early.err, early
    done = lab.sh("host3", "agent", "join", "--request", "/run/fourth/request", *config)
    assert "agentctl cert issue" in done.out, done
    again = lab.sh("host3", "agent", "join", "--request", "/run/fourth/request", *config, check=False)
    assert again.status == 1 and "exists" in again.err, again
    request = lab.sh("host3", "base64", "-w0", "/run/fourth/request").out
    lab.sh("host1", "bash", "-c", f"base64 -d <<<'{request}' >/run/request")
    lab.sh("host2", "bash", "-c", f"base64 -d <<<'{request}' >/run/request")
    denied = lab.ctl("host2", "cert", "issue", "/run/request", "/run/answer", check=False)
    assert denied.status != 0 and "issuer" in denied.err, denied
    refused = lab.ctl("host1", "cert", "issue", "/run/request", "/run/answer", "--name", "host5", check=False)
    assert refused.status == 2 and 'for a node named "host5"' in refused.err, refused
    issue = ("cert", "issue", "/run/request", "/run/answer", "--name", "host4", "--subnet", "10.0.44.0/24",
             "--function", "redis")
    issued = lab.ctl("host1", *issue)
    assert "agent join --answer /run/answer" in issued.out, issued
    taken = lab.ctl("host1", *issue, check=False)
    assert taken.status == 1 and "exists" in taken.err, taken
    answer = lab.sh("host1", "base64", "-w0", "/run/answer").out
    lab.sh("host3", "bash", "-c", f"base64 -d <<<'{answer}' >/run/fourth/answer")
    joined = lab.sh("host3", "agent", "join", "--answer", "/run/fourth/answer", *config)
    assert "subnet   10.0.44.0/24" in joined.out and "cluster  lab" in joined.out, joined
    assert lab.sh("host3", "cat", "/run/fourth/lib/subnets").out == "10.0.44.0/24\n"
    assert {m["name"]: m["subnets"] for m in lab.json("host1", "members")["members"]}["host4"] == ["10.0.44.0/24"]
