"""An injector with the keys of a certified node sends what it must not: no
store, view or flow anywhere shows it, and nothing crashes."""
import os
import random
import re
import sys

from socketnet_wire import (MESSAGE_RECORD, RECORD_SERVICE, Keys, Record, Sender, find_records, make_record,
                            message, service_body)

HOSTS = 3


def read(path):
    with open(path, "rb") as file:
        return file.read()


def counters(lab, host):
    """Counters of the metrics by name and reason."""
    text = lab.sh(host, "curl", "-sS", "--unix-socket", "/run/socketnet/api.sock", "http://agent/metrics").out
    return {match[1]: int(match[2]) for match in re.finditer(r"^(socketnet_[^ ]+) (\d+)$", text, re.MULTILINE)}


def grown(before, after, name):
    return after.get(name, 0) - before.get(name, 0)


def send(lab, datagrams):
    """From host3's mesh address to host1's gossip port."""
    path = lab.path("host3", "datagrams")
    with open(path, "w", encoding="ascii") as file:
        file.writelines(data.hex() + "\n" for data in datagrams)
    program = ("import socket, sys, time\n"
               "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
               "s.bind(('100.104.70.3', 0))\n"
               f"for line in open({path!r}):\n"
               "    s.sendto(bytes.fromhex(line.strip()), ('100.104.70.1', 7720))\n"
               "    time.sleep(0.002)\n")
    lab.sh("host3", sys.executable if os.path.isabs(sys.executable) else "python3", "-c", program)


def injector(lab):
    """host3's agent stops; its keys and what it knows are the injector's."""
    lab("agent", "host3", "kill")
    state = lab.path("host3", "lib")
    keys = Keys(read(os.path.join(state, "node.key")))
    own = Record(read(os.path.join(state, "certificate")))
    database = read(os.path.join(state, "db", "data.mdb"))
    names = {}
    boots = {}
    for record in find_records(database, own.cluster, 1):
        names[record.body[4]] = record
    for record in find_records(database, own.cluster, 3):
        boots[record.writer] = max(boots.get(record.writer, 0), record.epoch >> 32)
    target = names["host1"].body
    sender = Sender(keys, own.cluster, boots[keys.sign_public], target[1], target[2], boots[target[1]])
    return keys, own, names, boots, sender


def test_injected_records_reach_nothing(lab):
    keys, own, names, boots, sender = injector(lab)
    serial = own.body[13]
    epoch = (boots[keys.sign_public] << 32) | 0xffffffff
    cluster = own.cluster

    def service(instance, address, **fields):
        signer = fields.pop("signer", keys)
        return make_record(signer, cluster, RECORD_SERVICE, b"evil/" + instance.encode(),
                           service_body("evil", instance, address), **{"serial": serial, "epoch": epoch, **fields})

    stranger = Keys.random()
    bad = {
        "writer": service("stranger", "10.0.3.66", signer=stranger, seq=101),
        "signature": service("forged", "10.0.2.66", writer=names["host2"].body[1], serial=names["host2"].body[13],
                             epoch=(boots[names["host2"].body[1]] << 32) | 0xffffffff, seq=102),
        "rights": service("outside", "10.0.2.67", seq=103),
    }
    good = make_record(keys, cluster, RECORD_SERVICE, b"good/one", service_body("good", "one", "10.0.3.68"),
                       serial=serial, epoch=epoch, seq=104)

    before = counters(lab, "host1")
    datagram = sender.packet(message(MESSAGE_RECORD, good))
    send(lab, [sender.packet(message(MESSAGE_RECORD, record)) for record in bad.values()] + [datagram])

    # The injector works: its honest record goes all the way, relayed by host1.
    for host in ("host1", "host2"):
        lab.until(lambda host=host: any(s["name"] == "good" for s in lab.json(host, "service", "ls")["services"]))
    after = counters(lab, "host1")
    for reason in bad:
        assert grown(before, after, f'socketnet_records_refused_total{{reason="{reason}"}}') == 1, (reason, after)

    for host in ("host1", "host2"):
        assert "evil" not in lab.ctl(host, "record", "ls").out
        assert "evil" not in lab.ctl(host, "service", "ls").out
        assert "evil" not in lab.ctl(host, "flow", "ls").out
        assert b"evil" not in read(os.path.join(lab.path(host, "lib"), "db", "data.mdb"))
        for address in ("10.0.3.66", "10.0.2.66", "10.0.2.67"):
            assert address not in lab.flows(host) + lab.groups(host)
    assert lab.ctl("host1", "record", "verify").status == 0

    # Replayed: the very datagram that was good a moment ago.
    before = after
    send(lab, [datagram] * 5)
    after = counters(lab, "host1")
    assert grown(before, after, 'socketnet_datagrams_dropped_total{reason="replay"}') == 5


def test_malformed_datagrams_are_counted_not_logged(lab):
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    rng = random.Random(seed)
    log = lab.log("host1")
    before = counters(lab, "host1")
    datagrams = [b"", b"\x01", rng.randbytes(1400), rng.randbytes(1232)]
    for _ in range(500):
        data = bytearray(rng.randbytes(rng.randrange(1, 1232)))
        data[:2] = b"\x01" + rng.choice((b"\x01", b"\x02", b"\x03"))
        datagrams.append(bytes(data))
    send(lab, datagrams)
    after = counters(lab, "host1")
    dropped = sum(grown(before, after, name) for name in after if name.startswith("socketnet_datagrams_dropped"))
    assert dropped >= 500
    assert len(lab.log("host1")) - len(log) < 2000
    assert lab.states("host2")["host1"] == "alive"


def test_every_changed_bit_is_noticed(lab):
    """A packet whose tag held, with one bit changed anywhere, or cut."""
    *_, sender = injector(lab)
    good = sender.packet(message(1, b"\0\1" + bytes(8)))
    datagrams = []
    for bit in range(0, len(good) * 8, 7):
        changed = bytearray(good)
        changed[bit // 8] ^= 1 << bit % 8
        datagrams.append(bytes(changed))
    datagrams += [good[:size] for size in range(1, len(good), 5)]
    before = counters(lab, "host1")
    send(lab, datagrams)
    after = counters(lab, "host1")
    dropped = sum(grown(before, after, name) for name in after if name.startswith("socketnet_datagrams_dropped"))
    assert dropped == len(datagrams)
    send(lab, [good])
    assert grown(after, counters(lab, "host1"), 'socketnet_datagrams_dropped_total{reason="replay"}') == 0
