"""Certificates over time: renewed by themselves, expired, revoked, and two for
one name."""
import json
import tempfile
import time

from socketnet_wire import Keys, Record, make_record

HOSTS = 3
CERTIFICATE = 1
DAY = 86400
# Numbers of records that the tests sign in another's name: none twice.
SEQ = iter(range(1000, 2000))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def certificate(lab, host):
    """The one in the file, which the next start and the worker read."""
    return Record(read(lab.path(host, "lib", "certificate")))


def root(lab):
    return Keys(read(lab.path("host1", "lib", "admission.key")) + bytes(32))


def node(lab, host):
    return Keys(read(lab.path(host, "lib", "node.key")))


def sign(lab, signer, body, serial=0):
    """A certificate of these contents."""
    return make_record(signer, certificate(lab, "host1").cluster, CERTIFICATE, body[1], body, serial=serial,
                       epoch=1 << 50 if serial == 0 else 1, seq=next(SEQ), hlc=int(time.time() * 1000) << 16)


def submit(lab, host, record):
    """Hands it to the agent of this host."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(record)
        file.flush()
        return lab.ctl(host, "record", "submit", file.name)


def set_life(lab, host, begin, end, by="host1"):
    """A root gives this host a new grant (of the old one the later end counts)
    that begins and ends so many seconds from now."""
    body = dict(certificate(lab, host).body)
    body[12] += 1
    body[13] = next(SEQ)
    body[10] = int(time.time()) + begin
    body[11] = int(time.time()) + end
    submit(lab, by, sign(lab, root(lab), body))


def member(lab, at, name):
    return next((m for m in lab.json(at, "members")["members"] if m["name"] == name), None)


def problems(lab, host):
    health = json.loads(lab.ctl(host, "health", "-o", "json", check=False).out)
    return {problem["id"]: problem for problem in health["problems"]}


def ends(lab, at, name):
    """Days until the end of a member's certificate as this host has it."""
    text = member(lab, at, name)["not_after"]
    return (time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime())) / DAY


def refused(result):
    return result.status not in (0, 6) and "certificate" in result.err


def test_by_hand(lab):
    answer = lab.ctl("host2", "cert", "renew", "host3", check=False)
    assert answer.status == 5 and "not the role issuer" in answer.err, answer
    answer = lab.ctl("host1", "cert", "renew", "host9", check=False)
    assert answer.status == 4 and "there is no node host9" in answer.err, answer
    answer = lab.ctl("host1", "cert", "renew", "host3", "--until", "tomorrow", check=False)
    assert answer.status == 2 and "2027-03-01" in answer.err, answer
    answer = lab.ctl("host1", "cert", "renew", "host3", "--until", "1d", check=False)
    assert answer.status != 0 and "would not end later" in answer.err, answer
    answer = lab.ctl("host1", "cert", "renew", "host1", check=False)
    assert answer.status != 0 and "only a root renews an issuer" in answer.err, answer
    before = certificate(lab, "host3")
    assert "renewed host3" in lab.ctl("host1", "cert", "renew", "host3", "--until", "500d").out
    for host in ("host1", "host2", "host3"):
        lab.until(lambda host=host: ends(lab, host, "host3") > 499)
    lab.until(lambda: certificate(lab, "host3").body[11] > before.body[11])
    after = certificate(lab, "host3").body
    for key in before.body:
        assert key in (10, 11) or before.body[key] == after[key]
    # The next start has it.
    lab("agent", "host3", "stop")
    lab("agent", "host3", "start")
    lab.until(lambda: ends(lab, "host3", "host3") > 499)
    lab.all_alive(["host1", "host2", "host3"])


def test_by_itself(lab):
    """Past half of its life an issuer renews it, on all hosts and in the file."""
    set_life(lab, "host2", -60, 60)
    lab.until(lambda: "certificate renewed name=host2" in lab.log("host1"), 60)
    for host in ("host1", "host2", "host3"):
        lab.until(lambda host=host: ends(lab, host, "host2") > 360, 60)
    lab.until(lambda: certificate(lab, "host2").body[11] > time.time() + 360 * DAY)


def test_expired_while_on(lab):
    """With no issuer there its certificate ends: what was installed stays, it
    registers nothing new; when the issuer is back, it is renewed."""
    address = lab.start_redis("host2", 20)
    lab.register("host2", "redis", 6379, address, "--port-name", "veth20")
    lab.until(lambda: address in lab.groups("host3"))
    lab("agent", "host1", "stop")
    set_life(lab, "host2", -60, 20, by="host3")
    lab.until(lambda: "certificate-ended" in problems(lab, "host2"), 30, problems(lab, "host2"))
    # Its last second is not over yet, perhaps.
    lab.until(lambda: refused(lab.register("host2", "more", next(SEQ), "10.0.2.41", check=False)))
    assert address in lab.groups("host3")
    assert lab.states("host3")["host2"] == "alive"
    lab("agent", "host1", "start")
    lab.until(lambda: "certificate-ended" not in problems(lab, "host2"), 60, problems(lab, "host2"))
    lab.until(lambda: ends(lab, "host3", "host2") > 360)
    lab.until(lambda: lab.register("host2", "more", next(SEQ), "10.0.2.41", check=False).status in (0, 6), 30)
    lab.deregister("host2", "more", check=False)


def test_expired_while_off(lab):
    """A host was off when its certificate ended, 80 days ago: it comes back
    with its name, is renewed, and its services are there again."""
    lab("kill", "host2")
    lab.until(lambda: lab.states("host1")["host2"] == "dead", 60)
    set_life(lab, "host2", -200 * DAY, -80 * DAY)
    lab.until(lambda: ends(lab, "host3", "host2") < -79)
    lab("revive", "host2")
    lab.all_alive(["host1", "host2", "host3"], 60)
    lab.until(lambda: ends(lab, "host3", "host2") > 360, 60)
    lab.until(lambda: certificate(lab, "host2").body[11] > time.time() + 360 * DAY)
    lab.until(lambda: "10.0.2.20" in lab.groups("host3"), 30)


def test_two_for_one_name(lab):
    """Two issuers certify two keys for one name: all settle it alike, the loser
    knows why, and it is over when the other one goes."""
    issuer = dict(certificate(lab, "host2").body)
    issuer[7], issuer[12], issuer[13] = 3, 2, 99
    issuer[11] = int(time.time()) + 3 * 365 * DAY
    submit(lab, "host1", sign(lab, root(lab), issuer))
    lab.until(lambda: all("issuer" in member(lab, host, "host2")["roles"] for host in ("host1", "host3")))
    ghost = Keys.random()
    body = dict(certificate(lab, "host3").body)
    body[1], body[2], body[13] = ghost.sign_public, ghost.exchange_public, 1
    body[5], body[6] = [bytes([100, 104, 70, 99, 0x1e, 0x28])], []
    body.pop(3, None)
    body[11] = int(time.time()) + 100 * DAY
    submit(lab, "host1", sign(lab, node(lab, "host2"), body, serial=99))
    key = certificate(lab, "host3").body[1].hex()

    def denials(at):
        return {m["key"]: m["denial"] for m in lab.json(at, "members")["members"]}
    for host in ("host1", "host2", "host3"):
        lab.until(lambda host=host: (denials(host).get(key) or {}).get("winner") == ghost.sign_public.hex(), 60,
                  denials(host))
        assert denials(host)[key]["over"] == "name"
        assert denials(host)[ghost.sign_public.hex()] is None
        assert "clash" in problems(lab, host), host
        assert "has its name" in lab.ctl(host, "members").out
    assert problems(lab, "host3")["clash"]["level"] == "fail"
    answer = lab.ctl("host1", "cert", "revoke", "host3", check=False)
    assert answer.status != 0 and "is not one node" in answer.err, answer
    lab.ctl("host1", "cert", "revoke", ghost.sign_public.hex(), "--reason", "nobody knows it")
    lab.all_alive(["host1", "host2", "host3"], 90)
    assert "clash" not in problems(lab, "host3")


def test_revoked(lab):
    """Out everywhere at once, and told why; in again with a new token."""
    lab.ctl("host1", "cert", "revoke", "host3", "--reason", "stolen")
    for host in ("host1", "host2"):
        lab.until(lambda host=host: "revoked by host1: stolen" in lab.ctl(host, "members").out, 20)
    lab.until(lambda: "stolen" in problems(lab, "host3").get("revoked", {}).get("text", ""), 60,
              problems(lab, "host3"))
    lab("agent", "host3", "stop")
    lab.sh("host3", "agent", "reset", "--yes")
    token = lab.ctl("host1", "token", "create", "--subnet", "10.0.3.0/24").out.strip()
    lab.sh("host3", "agent", "join", "100.104.70.1", "--token", token)
    lab("agent", "host3", "start")
    lab.all_alive(["host1", "host2", "host3"], 60)
