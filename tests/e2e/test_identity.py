"""Somebody else writes with a node's key: a writer that contradicts itself is
frozen everywhere and for good, a node that is outdone twice stops writing; both
say so."""
import os

from socketnet_wire import (MESSAGE_RECORD, RECORD_SERVICE, Keys, Record, make_record, message, service_body)
from test_injection import injector, read, send

HOSTS = 3


def instances(lab, host, name):
    functions = lab.json(host, "service", "ls")["services"]
    return {i["node"]: i for f in functions if f["name"] == name for i in f["instances"]}


def problems(lab, host):
    done = lab.ctl(host, "status", "-o", "json", check=False)
    return done.status, {p["id"]: p for p in lab.api(host, "/api/v1/status")["problems"]}


def stolen(lab, host):
    """Its keys, and the serial of its certificate."""
    state = lab.path(host, "lib")
    return Keys(read(os.path.join(state, "node.key"))), Record(read(os.path.join(state, "certificate"))).body[13]


def test_frozen(lab):
    lab.register("host2", "store", 6379, "10.0.2.30")
    for host in ("host1", "host3"):
        lab.until(lambda host=host: "host2" in instances(lab, host, "store"))
    _, own, _, _, sender = injector(lab)
    keys, serial = stolen(lab, "host2")
    epoch = lab.api("host2", "/api/v1/status")["epoch"]
    two = [make_record(keys, own.cluster, RECORD_SERVICE, b"evil/" + name.encode(),
                       service_body("evil", name, "10.0.2.66"), serial=serial, epoch=epoch, seq=10 ** 6)
           for name in ("a", "b")]
    send(lab, [sender.packet(message(MESSAGE_RECORD, record)) for record in two])

    # Who met it tells all, its owner too.
    for host in ("host1", "host2"):
        lab.until(lambda host=host: [e["writer"] for e in lab.json(host, "record", "evidence")["evidence"]] == ["host2"])
        lab.until(lambda host=host: instances(lab, host, "store")["host2"]["state"] == "frozen")
    table = lab.ctl("host1", "record", "evidence").out
    assert "evil/a" in table and "evil/b" in table, table
    assert lab.json("host1", "record", "evidence")["evidence"][0]["seq"] == 10 ** 6
    status, found = problems(lab, "host2")
    assert status == 1 and found["frozen"]["level"] == "fail", found
    found = problems(lab, "host1")[1]
    assert found["frozen-member"]["level"] == "warn" and "host2" in found["frozen-member"]["text"], found
    refused = lab.register("host2", "more", 80, "10.0.2.31", check=False)
    assert refused.status == 2 and "contradict" in refused.err, refused

    # A restart frees nobody; who was away learns it.
    lab("agent", "host1", "stop")
    lab("agent", "host1", "start")
    lab("agent", "host3", "start")
    for host in ("host1", "host3"):
        lab.until(lambda host=host: instances(lab, host, "store").get("host2", {}).get("state") == "frozen", 30,
                  lab.ctl(host, "service", "ls"))
    lab.until(lambda: len({lab.api(host, "/api/v1/status")["fingerprint"]
                           for host in ("host1", "host2", "host3")}) == 1, 30)


def test_twin(lab):
    _, own, _, _, sender = injector(lab)
    keys, serial = stolen(lab, "host1")
    for n in range(2):
        assert "twin" not in problems(lab, "host1")[1]
        epoch = lab.api("host1", "/api/v1/status")["epoch"]
        sender.peer_boot = epoch >> 32
        record = make_record(keys, own.cluster, RECORD_SERVICE, b"other/life", service_body("other", "life", "10.0.1.66"),
                             serial=serial, epoch=epoch + (1 << 32), seq=1)
        send(lab, [sender.packet(message(MESSAGE_RECORD, record))])
        if n == 0:
            lab.until(lambda epoch=epoch: lab.api("host1", "/api/v1/status")["epoch"] > epoch + (1 << 32))
    lab.until(lambda: "twin" in problems(lab, "host1")[1])
    status, found = problems(lab, "host1")
    assert status == 1 and found["twin"]["level"] == "fail" and "host3" in found["twin"]["text"], found
    refused = lab.register("host1", "more", 80, "10.0.1.31", check=False)
    assert refused.status == 2 and "stopped writing" in refused.err, refused
    # The other is gone: a start asks what was written meanwhile, and goes on.
    lab("agent", "host1", "stop")
    lab("agent", "host1", "start")
    lab.until(lambda: lab.register("host1", "more", 80, "10.0.1.31", check=False).status == 0, 30)
    assert "twin" not in problems(lab, "host1")[1]
