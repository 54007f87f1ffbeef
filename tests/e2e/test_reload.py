"""SIGHUP, as `systemctl reload` sends it: followed where that is safe, named
where it needs a restart, refused as a whole when a file is wrong."""
import json
import os
import signal

HOSTS = 2


def health(lab, host):
    return json.loads(lab.ctl(host, "health", "-o", "json", check=False).out)


def stand(lab, flows):
    """Every flow of before is there; what is learned meanwhile may be too."""
    return set(flows.splitlines()) <= set(lab.flows("host1").splitlines())


def config_path(lab):
    return lab.path("host1", "etc", "agent.yaml")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def reload(lab):
    n = lab.log("host1").count("reloaded")
    os.kill(lab.agent_pids("host1")[0], signal.SIGHUP)
    return n


def problems(lab):
    return {p["id"]: p["text"] for p in health(lab, "host1")["problems"]}


def test_what_can_be_followed_is(lab):
    lab("container", "host1", "web", 101)
    lab.register("host1", "web", 80, "10.0.1.101", "--port-name", "veth101")
    lab.until(lambda: "10.0.1.101" in lab.groups("host1"))
    pids = lab.agent_pids("host1")
    flows = lab.flows("host1")
    good = read(config_path(lab))
    assert "debug core" not in lab.log("host1")
    write(config_path(lab), good + "log_level: debug\n")
    n = reload(lab)
    lab.until(lambda: lab.log("host1").count("reloaded") == n + 1)
    assert stand(lab, flows)
    write(lab.path("host1", "etc", "services.d", "db.yaml"),
          "service: {name: db, port: 81, address: 10.0.1.101, port_name: veth101}\n")
    reload(lab)
    lab.until(lambda: any(s["name"] == "db" for s in lab.json("host1", "service", "ls")["services"]))
    lab.until(lambda: "debug core" in lab.log("host1"))
    lab.sh("host1", "ovs-ofctl", "-O", "OpenFlow15", "add-flow", "socket",
           "cookie=0xabc,table=0,priority=30000,in_port=77,actions=drop")
    lab.until(lambda: "debug worker" in lab.log("host1"))
    os.unlink(lab.path("host1", "etc", "services.d", "db.yaml"))
    lab.until(lambda: all(s["name"] != "db" for s in lab.json("host1", "service", "ls")["services"]))
    write(config_path(lab), good)
    n = reload(lab)
    lab.until(lambda: lab.log("host1").count("reloaded") > n)
    assert lab.agent_pids("host1") == pids
    assert "restart-needed" not in problems(lab)


def test_what_needs_a_restart_is_named(lab):
    pids = lab.agent_pids("host1")
    good = read(config_path(lab))
    write(config_path(lab), good.replace("name: host1", "name: other") + "zone: else.where\n")
    reload(lab)
    lab.until(lambda: "reload: name, zone changed; that needs a restart" in lab.log("host1"))
    lab.until(lambda: "restart-needed" in problems(lab))
    assert problems(lab)["restart-needed"].startswith("name, zone changed in the configuration")
    assert "restart-needed: name, zone changed" in lab.ctl("host1", "status").out
    assert lab.instances("host1", "web") == {"10.0.1.101"}
    write(config_path(lab), good)
    reload(lab)
    lab.until(lambda: "restart-needed" not in problems(lab))
    assert lab.agent_pids("host1") == pids


def test_a_fault_changes_nothing(lab):
    pids = lab.agent_pids("host1")
    good = read(config_path(lab))
    write(config_path(lab), "log_level: debug\nbrige: x\n" + good)
    reload(lab)
    lab.until(lambda: "reload refused, everything stays as it was: /etc/socketnet/agent.yaml:2: "
                      "unknown key \"brige\"" in lab.log("host1"))
    write(config_path(lab), good)
    assert lab.agent_pids("host1") == pids
    assert lab.json("host1", "status")["healthy"]


def test_the_workers_part_takes_a_new_worker_and_flows_stand(lab):
    launcher, core, worker = lab.agent_pids("host1")
    flows = lab.flows("host1")
    write(config_path(lab), read(config_path(lab)).replace("run_dir: /run/", "run_dir: /var/run/"))
    lab.sh("host1", "bash", "-c", "[ /var/run -ef /run ]")
    reload(lab)

    def renewed():
        assert "10.0.1.101" in lab.groups("host1")
        pids = lab.agent_pids("host1")
        return len(pids) == 3 and worker not in pids and pids
    pids = lab.until(renewed)
    assert set(pids) >= {launcher, core}
    lab.until(lambda: health(lab, "host1")["healthy"])
    assert stand(lab, flows)
    assert lab.log("host1").count("bridge.run_dir changed, the worker starts again") == 1
