"""A host that says nothing of itself joins by a token without arguments: its
subnet is the issuer's choice, and stays its own."""
import pytest

HOSTS = 2

CONFIG = """name: host2
mesh:
  interface: nm-privacy
bridge:
  name: socket
  run_dir: /run/openvswitch
dns:
  listen: ["127.0.0.1:53"]
"""


def write_config(lab, text):
    lab.sh("host2", "bash", "-c", f"cat >/etc/socketnet/agent.yaml <<'C'\n{text}C")


def subnets(lab, host):
    return {m["name"]: m["subnets"] for m in lab.json(host, "members")["members"]}


def problem_ids(lab, host):
    return [p["id"] for p in lab.api(host, "/api/v1/status")["problems"]]


@pytest.fixture(scope="module", name="bare")
def bare_host2(lab):
    lab("agent", "host2", "stop")
    lab.sh("host2", "agent", "reset", "--yes")
    lab.until(lambda: lab.states("host1").get("host2") != "alive", 60)
    lab.ctl("host1", "node", "remove", "host2", "--force")
    write_config(lab, CONFIG)


@pytest.mark.usefixtures("bare")
def test_joins_with_what_it_is_given(lab):
    made = lab.ctl("host1", "token", "create")
    assert "containers in 10.0.0.0/24" in made.err, made
    # What is promised is not promised twice.
    second = lab.json("host1", "token", "create", "--allocate-mesh", "--allocate-name", "--function", "redis")
    assert (second["subnets"], second["name"], second["warning"]) == (["10.0.2.0/24"], "node1", None), second
    assert second["mesh"] != [] and second["mesh"][0] not in ("100.104.70.1", "100.104.70.2")
    assert "wide-token" in problem_ids(lab, "host1")
    joined = lab.sh("host2", "agent", "join", "100.104.70.1", "--token", made.out.strip())
    assert "subnet   10.0.0.0/24" in joined.out, joined
    lab("agent", "host2", "start")
    lab.until(lambda: subnets(lab, "host1").get("host2") == ["10.0.0.0/24"], 30)
    assert "wide-token" not in problem_ids(lab, "host1")
    used = [t for t in lab.json("host1", "token", "ls")["tokens"] if t["subnets"] == ["10.0.0.0/24"]]
    assert [(t["state"], t["used_by"]) for t in used] == [("used", "host2")]


@pytest.mark.usefixtures("bare")
def test_it_is_its_own(lab):
    """For the worker too, which believes no word of core: after a reload and
    after a restart."""
    lab.register("host2", "store", 6379, "10.0.0.40")
    lab.until(lambda: "10.0.0.40" in lab.flows("host1") + lab.groups("host1"))
    lab.until(lambda: "10.0.0.0/24" in lab.sh("host1", "ip", "route").out)
    assert lab.register("host2", "other", 6379, "10.0.2.40", check=False).status == 2
    lab.sh("host2", "bash", "-c", f"kill -HUP {lab.agent_pids('host2')[0]}")
    lab("agent", "host2", "stop")
    lab("agent", "host2", "start")
    lab.until(lambda: "10.0.0.40" in lab.flows("host2") + lab.groups("host2"))
    lab.sh("host2", "bash", "-c", f"kill -HUP {lab.agent_pids('host2')[0]}")
    lab.until(lambda: "reload" in lab.log("host2"))
    assert "restart-needed" not in problem_ids(lab, "host2")
    # The gateway can be said now.
    write_config(lab, CONFIG.replace("  run_dir", "  gateway: 10.0.0.1\n  run_dir"))
    lab("agent", "host2", "stop")
    lab("agent", "host2", "start")
    lab.until(lambda: "10.0.0.1/24" in lab.sh("host2", "ip", "addr", "show", "socket").out)


@pytest.mark.usefixtures("bare")
def test_core_cannot_give_itself_more(lab):
    lab("agent", "host2", "stop")
    path = "/var/lib/socketnet/subnets"
    assert lab.sh("host2", "stat", "-c", "%U %a", path).out == "root 644\n"
    lab.sh("host2", "chown", "socketnet", path)
    refused = lab.sh("host2", "timeout", "20", "agent", "run", check=False)
    assert refused.status == 2 and "subnets" in refused.err and "root" in refused.err, refused
    lab.sh("host2", "chown", "root", path)
    lab("agent", "host2", "start")


@pytest.mark.usefixtures("bare")
def test_a_mesh_address_that_is_not_here(lab):
    token = lab.ctl("host1", "token", "create", "--allocate-mesh").out.strip()
    lab.sh("host2", "bash", "-c", "mkdir -p /run/third; printf 'name: third\\nstate_dir: /run/third/lib\\n"
                                  "run_dir: /run/third/run\\n' >/run/third/agent.yaml")
    refused = lab.sh("host2", "agent", "join", "100.104.70.1", "--token", token, "--config", "/run/third/agent.yaml",
                     check=False)
    assert refused.status == 1 and "no interface of this host has it" in refused.err, refused
    assert lab.sh("host2", "ls", "-A", "/run/third").out == "agent.yaml\n"


@pytest.mark.usefixtures("bare")
def test_contradictions(lab):
    """Who says subnets of its own needs a token for these, or an open one."""
    config = "/run/third/own.yaml"
    lab.sh("host2", "bash", "-c", f"mkdir -p /run/third; printf 'name: third\\nstate_dir: /run/third/own\\n"
                                  f"run_dir: /run/third/run\\nmesh: {{address: 100.104.70.33}}\\n"
                                  f"subnets: [10.0.33.0/24]\\n' >{config}")

    def join(*options):
        token = lab.ctl("host1", "token", "create", *options).out.strip()
        return lab.sh("host2", "agent", "join", "100.104.70.1", "--token", token, "--config", config, check=False)
    refused = join()
    assert refused.status == 1 and "get a token with --subnet" in refused.err, refused
    for wrong in (("--open", "--subnet-size", "26"), ("--subnet", "10.0.33.0/24", "--subnet-size", "26"),
                  ("--subnet-size", "x"), ("--open", "--allocate-name")):
        assert lab.ctl("host1", "token", "create", *wrong, check=False).status == 2, wrong
    warned = lab.ctl("host1", "token", "create", "--open", "--function", "redis")
    assert "join as any host" in warned.err, warned
    full = lab.ctl("host1", "token", "create", "--subnet-size", "9", check=False)
    assert full.status != 0 and "no subnet of that size" in full.err, full
    assert join("--subnet", "10.0.33.0/24").status == 0
