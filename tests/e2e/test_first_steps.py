"""Wrong turns of a newcomer, with what each is told."""
import pytest

HOSTS = 1

# Something to start from, its own state and run directory beside host1's.
BASE = """name: other
state_dir: /run/first/state
run_dir: /run/first/run
"""


@pytest.fixture(name="say")
def say_fixture(lab):
    def say(config, *command):
        script = f"rm -rf /run/first; mkdir -p /run/first; cat >/run/first.yaml <<'CONFIG'\n{BASE}{config}\nCONFIG\n"
        result = lab.sh("host1", "bash", "-c", script + " ".join(command), check=False)
        return result.status, result.out + result.err
    yield say
    lab.sh("host1", "rm", "-rf", "/run/first", "/run/first.yaml")


def test_no_configuration_at_all(lab):
    result = lab.sh("host1", "unshare", "-m", "bash", "-c",
                    "mount -t tmpfs tmpfs /etc/socketnet && mount -t tmpfs tmpfs /var/lib/socketnet && agent init",
                    check=False)
    assert result.status == 1
    assert ("agent init: there is no configuration: neither /etc/socketnet/agent.yaml nor a file in conf.d beside it; "
            "write /etc/socketnet/agent.yaml, the least that works is\n  mesh:\n    interface: wg0") in result.err


def test_run_before_init(say):
    for directory in ("true", "mkdir /run/first/state"):
        status, text = say("mesh: {address: 100.104.70.1}", directory, ";", "agent run --config /run/first.yaml")
        assert status == 2
        assert "there is no /run/first/state/node.key: this host is in no cluster yet; run `agent init`" in text, text


def test_init_twice(say):
    status, text = say("mesh: {address: 100.104.70.1, port: 7799}", "agent init --config /run/first.yaml >/dev/null;",
                       "agent init --config /run/first.yaml")
    assert status == 1
    assert "this host is already a node of a cluster (/run/first/state/node.key); run \"agent reset --yes\"" in text


def test_a_mesh_address_of_another_host(say):
    status, text = say("mesh: {address: 100.104.70.9}", "agent init --config /run/first.yaml")
    assert status == 0
    assert "mesh.address 100.104.70.9 of /run/first.yaml is on no interface of this host: peers reach" in text


def test_joining_itself(lab, say):
    token = lab.ctl("host1", "token", "create", "--open").out.strip()
    for peer in ("100.104.70.1", "100.104.70.1:7720"):
        status, text = say("mesh: {address: 100.104.70.1}", "agent join", peer, "--config /run/first.yaml --token", token)
        assert status == 1 and f"agent join: {peer} is this host itself; give the mesh address of a node" in text, text
    status, text = say("", "ls -A /run/first")
    assert text == ""


def test_a_configuration_that_core_may_not_read(lab):
    lab("agent", "host1", "stop")
    try:
        result = lab.sh("host1", "bash", "-c", "chmod 600 /etc/socketnet/agent.yaml; timeout 15 agent run", check=False)
    finally:
        lab.sh("host1", "chmod", "644", "/etc/socketnet/agent.yaml")
        lab("agent", "host1", "start")
    assert result.status == 2
    assert "core runs as user socketnet, who cannot read /etc/socketnet/agent.yaml: Permission denied" in result.err
    assert "does not take" not in result.err
