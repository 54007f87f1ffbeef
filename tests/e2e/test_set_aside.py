"""What core died on three times is not looked at again."""
import hashlib
import struct

from socketnet_wire import MESSAGE_RECORD, RECORD_SERVICE, make_record, message, service_body
from test_injection import counters, grown, injector, send

HOSTS = 3
POISON = "/run/socketnet/poison"


def note_deaths(lab, host, data):
    """As agent/core/poison.c would have, in the layout of this machine."""
    entry = hashlib.blake2b(data, digest_size=16).digest() + struct.pack("=I", 3)
    file = struct.pack("=Q", 0x736e2d706f69736f) + entry + bytes(63 * 20) + bytes(2 * (4 + 32768))
    used = file.rstrip(b"\0").hex()
    lab.sh(host, "python3", "-c", f"open('{POISON}', 'wb').write(bytes.fromhex('{used}').ljust({len(file)}, b'\\0'))")


def test_a_record_is_set_aside(lab):
    _, own, _, boots, sender = injector(lab)
    keys = sender.keys
    epoch = (boots[keys.sign_public] << 32) | 0xffffffff

    def service(name, seq):
        return make_record(keys, own.cluster, RECORD_SERVICE, name + b"/one",
                           service_body(name.decode(), "one", "10.0.3.68"), serial=own.body[13], epoch=epoch, seq=seq)
    bad, good = service(b"bad", 101), service(b"good", 102)
    lab("agent", "host1", "stop")
    note_deaths(lab, "host1", bad)
    lab("agent", "host1", "start")
    assert any(p["id"] == "set-aside" for p in lab.api("host1", "/api/v1/status")["problems"])
    sender.peer_boot = lab.api("host1", "/api/v1/status")["epoch"] >> 32
    before = counters(lab, "host1")
    send(lab, [sender.packet(message(MESSAGE_RECORD, record)) for record in (bad, good)])
    lab.until(lambda: any(s["name"] == "good" for s in lab.json("host1", "service", "ls")["services"]))
    assert not any(s["name"] == "bad" for s in lab.json("host1", "service", "ls")["services"])
    assert grown(before, counters(lab, "host1"), 'socketnet_records_refused_total{reason="quarantined"}') == 1
