"""--port-name binds an address to a port: never one that lives behind another
port, as that would cut off the container that has it."""
import os

import pytest

HOSTS = 2


def line_of(lab, name):
    """The instance as `service ls` of its host shows it."""
    lines = [line for line in lab.ctl("host2", "service", "ls").out.splitlines() if line.startswith(name + " ")]
    return lines[0] if lines else ""


def ping(lab, place, address):
    return lab.sh(place, "ping", "-c1", "-W2", address, check=False).status == 0


@pytest.fixture(scope="module", name="containers")
def containers_fixture(lab):
    for number in (201, 203):
        lab("container", "host2", f"c{number}", number)
        assert ping(lab, f"host2/c{number}", "10.0.2.1")
    # Its flow is there: the worker has learned it.
    lab.until(lambda: all(f"priority=500,ip,nw_dst=10.0.2.{n} " in lab.flows("host2") for n in (201, 203)))


def test_refused_at_registration(lab, containers):
    result = lab.register("host2", "redis", 6379, "10.0.2.203", "--port-name", "veth201", check=False)
    assert result.status != 0, result
    assert "10.0.2.203 lives behind the port veth203" in result.err and "not behind veth201" in result.err, result
    assert not line_of(lab, "redis")
    assert "10.0.2.203" not in "\n".join(f for f in lab.flows("host2").splitlines() if "priority=20800" in f)
    assert ping(lab, "host2/c203", "10.0.2.1") and ping(lab, "host2/c203", "10.0.2.201")
    answer = lab.sh("host2", "curl", "-sS", "-w", "%{http_code}", "--unix-socket", "/run/socketnet/api.sock",
                    "-d", '{"name": "redis", "port": 6379, "address": "10.0.2.203", "port_name": "veth201"}',
                    "http://agent/api/v1/services").out
    assert answer.endswith("422") and "veth203" in answer, answer
    # With the right one, and a change of a good one to a wrong one.
    lab.register("host2", "redis", 6379, "10.0.2.203", "--port-name", "veth203")
    result = lab.register("host2", "redis", 6379, "10.0.2.203", "--port-name", "veth201", "--instance", "veth203",
                          check=False)
    assert result.status != 0 and "veth203" in result.err, result
    assert "usable" in line_of(lab, "redis")
    lab.deregister("host2", "redis")


def test_refused_in_a_file(lab, containers):
    path = lab.path("host2", "etc", "services.d", "web.yaml")

    def write(port_name):
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(f"service:\n  name: web\n  instance: one\n  port: 80\n  address: 10.0.2.203\n"
                       f"  port_name: {port_name}\n")
        os.rename(path + ".new", path)

    def status():
        return lab.ctl("host2", "status", check=False).out

    write("veth201")
    lab.until(lambda: "10.0.2.203 lives behind the port veth203" in status(), 10, status())
    assert not line_of(lab, "web")
    write("veth203")
    lab.until(lambda: "usable" in line_of(lab, "web"))
    assert "lives behind" not in status()
    # A slip of the pen takes no service down.
    write("veth201")
    lab.until(lambda: "10.0.2.203 lives behind the port veth203" in status(), 10, status())
    assert "usable" in line_of(lab, "web")
    assert ping(lab, "host2/c203", "10.0.2.1")
    os.unlink(path)
    lab.until(lambda: not line_of(lab, "web"))


def test_refused_when_it_is_learned(lab, containers):
    """A container that has never said a word."""
    lab("container", "host2", "c205", 205)
    assert "10.0.2.205" not in lab.flows("host2")
    lab.register("host2", "quiet", 6379, "10.0.2.205", "--port-name", "veth201", check=False)
    lab.until(lambda: "refused: 10.0.2.205 lives behind veth205" in line_of(lab, "quiet"), 10, line_of(lab, "quiet"))
    assert ping(lab, "host2/c205", "10.0.2.1") and ping(lab, "host2/c205", "10.0.2.203")
    assert ping(lab, "host2", "10.0.2.205") and ping(lab, "host2/c201", "10.0.2.205")
    assert "lives behind veth205" in lab.ctl("host2", "status", check=False).out
    lab.deregister("host2", "quiet")
    lab.register("host2", "quiet", 6379, "10.0.2.205", "--port-name", "veth205")
    assert "usable" in line_of(lab, "quiet")
    # It is its own now: who else says to have it is not believed, and a
    # restart of the agent changes nothing.
    lab.sh("host2/c201", "ip", "addr", "add", "10.0.2.205/24", "dev", "eth0")
    lab.sh("host2/c201", "ping", "-c2", "-i0.2", "-W1", "-I", "10.0.2.205", "10.0.2.1", check=False)
    assert "usable" in line_of(lab, "quiet")
    lab.sh("host2/c201", "ip", "addr", "del", "10.0.2.205/24", "dev", "eth0")

    def its_flows():
        return sorted(flow for flow in lab.flows("host2").splitlines() if "10.0.2.205" in flow)
    before = its_flows()
    lab("agent", "host2", "stop")
    lab("agent", "host2", "start")
    lab.until(lambda: "usable" in line_of(lab, "quiet"), 20)
    lab.until(lambda: its_flows() == before, 5, its_flows())
    assert ping(lab, "host2/c205", "10.0.2.1")
    lab.deregister("host2", "quiet")
