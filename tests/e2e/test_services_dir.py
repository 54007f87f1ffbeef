"""services.d: files register, change and deregister; checks take instances
out and back."""
import os

import pytest

HOSTS = 3


def write(lab, host, name, text):
    """As editors and Nix do: a new file, moved over the old one."""
    path = lab.path(host, "etc", "services.d", name)
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.rename(path + ".new", path)


def remove(lab, host, name):
    os.unlink(lab.path(host, "etc", "services.d", name))


@pytest.fixture(autouse=True)
def empty_directories(lab):
    """Each test begins and ends without a file, and without what files made."""
    yield
    for n in range(HOSTS):
        directory = lab.path(f"host{n + 1}", "etc", "services.d")
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
    lab.until(lambda: lab.json("host1", "service", "ls")["services"] == [], 10)


def instances(lab, host, name):
    """(node, address, port, health) of each instance as one host sees them."""
    for service in lab.json(host, "service", "ls")["services"]:
        if service["name"] == name:
            return sorted((i["node"], i["address"], i["port"], i["health"]) for i in service["instances"])
    return []


def status(lab, host):
    return lab.ctl(host, "status", check=False).out


def test_file_registers_changes_deregisters(lab):
    write(lab, "host2", "web.yaml", "service:\n  name: web\n  port: 80\n  address: 10.0.2.70\n")
    for host in ("host1", "host2", "host3"):
        lab.until(lambda host=host: [i[:3] for i in instances(lab, host, "web")] == [("host2", "10.0.2.70", 80)], 5)
    write(lab, "host2", "web.yaml", "service:\n  name: web\n  port: 8080\n  address: 10.0.2.70\n")
    lab.until(lambda: [i[:3] for i in instances(lab, "host1", "web")] == [("host2", "10.0.2.70", 8080)], 5)
    remove(lab, "host2", "web.yaml")
    lab.until(lambda: instances(lab, "host1", "web") == [], 5)


def test_several_in_one_file_and_json(lab):
    write(lab, "host2", "several.yaml", """\
services:
  - name: web
    port: 80
    address: 10.0.2.70
  - name: api
    port: 81
    address: 10.0.2.71
""")
    write(lab, "host2", "one.json", '{"service": {"name": "cache", "port": 82, "address": "10.0.2.72"}}')
    for name in ("web", "api", "cache"):
        lab.until(lambda name=name: instances(lab, "host1", name), 5, name)
    # One of them is taken out of the file: that one goes.
    write(lab, "host2", "several.yaml", "services:\n  - name: api\n    port: 81\n    address: 10.0.2.71\n")
    lab.until(lambda: instances(lab, "host1", "web") == [], 5)
    assert instances(lab, "host1", "api") and instances(lab, "host1", "cache")
    # By hand and by a file, side by side.
    lab.register("host2", "byhand", 90, "10.0.2.90")
    remove(lab, "host2", "several.yaml")
    remove(lab, "host2", "one.json")
    lab.until(lambda: not instances(lab, "host1", "api") and not instances(lab, "host1", "cache"), 5)
    assert instances(lab, "host1", "byhand")
    lab.deregister("host2", "byhand")


@pytest.mark.parametrize("text,where", [
    ("service:\n  name: bad\n  prot: 80\n  address: 10.0.2.9\n", "bad.yaml:3"),
    ("service:\n  name: bad\n  port: 80\n  address: 10.0.9.9\n", "bad.yaml:2: 10.0.9.9 "),
    ("service:\n  name: bad\n  port: many\n  address: 10.0.2.9\n", "bad.yaml:3"),
    ("service:\n  name: [bad\n", "bad.yaml:"),
    ("service:\n  name: bad\n  port: 80\n  address: 10.0.2.9\n  check:\n    type: icmp\n", "bad.yaml:6"),
])
def test_broken_file_is_named_the_others_work(lab, text, where):
    write(lab, "host2", "good.yaml", "service:\n  name: good\n  port: 80\n  address: 10.0.2.70\n")
    write(lab, "host2", "bad.yaml", text)
    lab.until(lambda: where in status(lab, "host2"), 5, status(lab, "host2"))
    lab.until(lambda: instances(lab, "host1", "good"), 5)
    assert instances(lab, "host1", "bad") == []
    # Another file is still read anew, while that one is broken.
    write(lab, "host2", "good.yaml", "service:\n  name: good\n  port: 81\n  address: 10.0.2.70\n")
    lab.until(lambda: [i[2] for i in instances(lab, "host1", "good")] == [81], 5)
    remove(lab, "host2", "bad.yaml")
    lab.until(lambda: "bad.yaml" not in status(lab, "host2"), 5)
    remove(lab, "host2", "good.yaml")
    lab.until(lambda: instances(lab, "host1", "good") == [], 5)


def test_a_slip_takes_no_service_down(lab):
    write(lab, "host2", "web.yaml", "service:\n  name: web\n  port: 80\n  address: 10.0.2.70\n")
    lab.until(lambda: instances(lab, "host1", "web"), 5)
    write(lab, "host2", "web.yaml", "service:\n  name: web\n  prt: 80\n  address: 10.0.2.70\n")
    lab.until(lambda: "web.yaml:3" in status(lab, "host2"), 5)
    assert instances(lab, "host1", "web")
    # Not by a restart of the agent either.
    lab("agent", "host2", "stop")
    lab("agent", "host2", "start")
    lab.all_alive(["host1", "host2", "host3"])
    assert "web.yaml:3" in status(lab, "host2")
    assert instances(lab, "host1", "web")
    remove(lab, "host2", "web.yaml")
    lab.until(lambda: instances(lab, "host1", "web") == [], 5)


def test_changes_while_the_agent_is_away(lab):
    write(lab, "host2", "stays.yaml", "service:\n  name: stays\n  port: 80\n  address: 10.0.2.70\n")
    write(lab, "host2", "goes.yaml", "service:\n  name: goes\n  port: 80\n  address: 10.0.2.71\n")
    lab.until(lambda: instances(lab, "host1", "goes") and instances(lab, "host1", "stays"), 5)
    lab("agent", "host2", "stop")
    remove(lab, "host2", "goes.yaml")
    write(lab, "host2", "comes.yaml", "service:\n  name: comes\n  port: 80\n  address: 10.0.2.72\n")
    lab("agent", "host2", "start")
    lab.until(lambda: instances(lab, "host1", "comes"), 10)
    lab.until(lambda: instances(lab, "host1", "goes") == [], 5)
    assert instances(lab, "host1", "stays")
    remove(lab, "host2", "stays.yaml")
    remove(lab, "host2", "comes.yaml")
    lab.until(lambda: not instances(lab, "host1", "stays") and not instances(lab, "host1", "comes"), 5)


# --- checks ---

CHECKED = """\
service:
  name: redis
  port: 6379
  address: 10.0.{n}.203
  port_name: veth203
  check:
    type: tcp
    interval: 1s
    timeout: 500ms
    fail: 2
"""


def health(lab, host="host1"):
    return {i[0]: i[3] for i in instances(lab, host, "redis")}


def who(lab, n):
    return {lab.redis("host1/client", "redis.mesh.internal", "get", "whoami").out.strip() for _ in range(n)}


def serve(lab, host):
    """Redis of a host answers, whatever was done to it or its link before."""
    place = f"{host}/redis"
    address = f"10.0.{host[4:]}.203"
    lab.sh(place, "ip", "link", "set", "eth0", "up")
    lab.sh(place, "ip", "route", "replace", "default", "via", f"10.0.{host[4:]}.1")
    if not lab.redis(place, address, "ping").out.startswith("PONG"):
        lab.sh(place, "redis-server", "--bind", address, "--save", "", "--protected-mode", "no",
               "--daemonize", "yes", "--dir", "/tmp")
    lab.until(lambda: lab.redis(place, address, "set", "whoami", host).out.startswith("OK"))


@pytest.fixture(scope="module", name="containers")
def containers_fixture(lab):
    lab("container", "host1", "client", 101)
    for host in ("host2", "host3"):
        lab.start_redis(host, 203)


@pytest.fixture(name="redis")
def redis_fixture(lab, containers):
    """host2 and host3 serve, are checked and used: each test begins so."""
    for host in ("host2", "host3"):
        serve(lab, host)
        write(lab, host, "redis.yaml", CHECKED.format(n=host[4:]))
    lab.until(lambda: health(lab) == {"host2": "passing", "host3": "passing"}, 10)
    lab.until(lambda: who(lab, 20) == {"host2", "host3"}, 10)


def stop(lab, host):
    lab.redis(f"{host}/redis", f"10.0.{host[4:]}.203", "shutdown", "nosave")


def test_stopped_server_is_critical_and_gets_nothing_new(lab, redis):
    stop(lab, "host3")
    lab.until(lambda: health(lab) == {"host2": "passing", "host3": "critical"}, 6)
    lab.until(lambda: "10.0.3.203" not in lab.groups("host1"), 2)
    assert who(lab, 20) == {"host2"}
    assert lab.instances("host1", "redis") == {"10.0.2.203"}
    shown = lab.ctl("host3", "service", "show", "redis").out
    assert "critical" in shown and "refused" in shown.lower(), shown


def test_returned_server_is_passing_and_serves(lab, redis):
    stop(lab, "host3")
    lab.until(lambda: health(lab)["host3"] == "critical", 6)
    serve(lab, "host3")
    lab.until(lambda: health(lab) == {"host2": "passing", "host3": "passing"}, 5)
    lab.until(lambda: who(lab, 20) == {"host2", "host3"}, 5)


def test_server_that_hangs_is_critical(lab, redis):
    """Packets to it vanish: no refusal, only no answer in time."""
    lab.sh("host2/redis", "ip", "link", "set", "eth0", "down")
    lab.until(lambda: health(lab)["host2"] == "critical", 8)
    assert who(lab, 10) == {"host3"}
    serve(lab, "host2")
    lab.until(lambda: health(lab)["host2"] == "passing", 8)
    lab.until(lambda: who(lab, 20) == {"host2", "host3"}, 5)


def test_a_new_instance_that_is_down_is_never_offered(lab, redis):
    lab("container", "host1", "other", 60)
    write(lab, "host1", "redis.yaml", CHECKED.format(n=1).replace("203", "60"))
    lab.until(lambda: health(lab, "host2").get("host1") == "critical", 5)
    assert "10.0.1.60" not in lab.groups("host1")
    assert who(lab, 10) <= {"host2", "host3"}
    remove(lab, "host1", "redis.yaml")
    lab.until(lambda: "host1" not in health(lab, "host2"), 5)
