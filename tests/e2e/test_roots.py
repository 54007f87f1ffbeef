"""What the owner of the roots does, as docs/OPERATIONS.md has it: a second
issuer, a lost one, roots that change, ranges, a lost root.

Each step is typed as it stands there, in a directory of the owner's."""
import os
import shutil

import pytest

from conftest import LAB_DIR, ROOT

HOSTS = 4
ALL = ["host1", "host2", "host3", "host4"]
with open(os.path.join(ROOT, "docs", "OPERATIONS.md"), encoding="utf-8") as file:
    OPERATIONS = " ".join(file.read().replace("\\\n", " ").split())


@pytest.fixture(scope="module", name="owner")
def owner_fixture(lab, tmp_path_factory):
    """The owner's directory: root1.key, and what the steps make."""
    directory = tmp_path_factory.mktemp("owner")
    shutil.copy(os.path.join(LAB_DIR, "host1", "lib", "admission.key"), directory / "root1.key")
    os.chmod(directory / "root1.key", 0o600)
    return Owner(lab, str(directory))


class Owner:
    """Types commands on a host, in one directory."""

    def __init__(self, lab, directory):
        self.lab = lab
        self.directory = directory

    def typed(self, host, command, check=True):
        """A command that stands so in OPERATIONS."""
        assert command in OPERATIONS, f"docs/OPERATIONS.md has not: {command}"
        return self.run(host, command, check)

    def run(self, host, command, check=True):
        return self.lab.sh(host, "sh", "-c", f"cd {self.directory} && {command}", check=check)

    def path(self, name):
        return os.path.join(self.directory, name)

    def clear(self, *names):
        for name in names:
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))

    def key(self, name):
        """Makes it, unless it is there; its public key."""
        if not os.path.exists(self.path(name)):
            self.typed("host2", f"agent key create {name}")
        return self.run("host2", f"agent key show {name}").out.strip()

    def roots(self):
        """Files of the keys of the present roots, and how many must sign."""
        charter = self.lab.api("host2", "/api/v1/charter")
        names = [name for name in sorted(os.listdir(self.directory)) if name.endswith(".key")]
        public = {self.key(name): name for name in names}
        return [public[key] for key in charter["roots"]], charter["threshold"]

    def apply(self, options, host="host2"):
        """Proposes, signs by as many as are needed, applies; all hosts follow."""
        self.clear("next.json")
        self.run(host, f"agent charter propose {options} --output next.json")
        names, threshold = self.roots()
        for name in names[:threshold]:
            self.run(host, f"agent charter sign next.json --key {name}")
        self.run(host, "agent charter apply next.json")
        self.followed()

    def followed(self, hosts=("host2", "host3", "host4")):
        """All follow one charter; it."""
        charter = self.lab.api("host2", "/api/v1/charter")
        for host in hosts:
            self.lab.until(lambda host=host: self.lab.api(host, "/api/v1/charter")["hash"] == charter["hash"])
        return charter

    def one_root(self):
        """root1.key alone, whatever was before."""
        names, _ = self.roots()
        if names != ["root1.key"]:
            others = [f"--remove-root {name}" for name in names if name != "root1.key"]
            add = [] if "root1.key" in names else ["--add-root root1.key"]
            self.apply(" ".join(others + add + ["--threshold 1"]))

    def certificate(self, host, name):
        return self.lab.api(host, f"/api/v1/certificates/{name}")["certificate"]

    def grant(self):
        """host2 is a second issuer, as all see."""
        if "issuer" not in self.certificate("host1", "host2")["roles"]:
            self.typed("host1", "agent admission grant host2")
        for host in ("host2", "host3", "host4"):
            self.lab.until(lambda host=host: "issuer" in self.certificate(host, "host2")["roles"])

    def issuer(self):
        """The same, and it has taken its certificate over, by itself."""
        self.grant()
        self.lab.until(lambda: self.lab.ctl("host2", "token", "create", "--ttl", "10s", "--function", "web", "--subnet",
                                            "10.0.3.0/24", check=False).status == 0, 60)

    def is_kept(self, host, name):
        """The root certified it anew: the other's word ends in a day."""
        records = self.lab.json(host, "record", "ls", "--kind", "certificate")["records"]
        return any(record["writer"] == "(admission)" and record["key"] == name for record in records)

    def rejoin(self, host, through):
        """Leaves, and joins by a token of another."""
        lab = self.lab
        number = host[4:]
        lab.sh(host, "agent", "leave", "--yes", check=False)
        lab("agent", host, "stop", check=False)
        lab.sh(host, "agent", "reset", "--yes")
        token = lab.ctl(through, "token", "create", "--function", "*", "--subnet", f"10.0.{number}.0/24").out.strip()
        lab.sh(host, "agent", "join", f"100.104.70.{through[4:]}", "--token", token)
        lab("agent", host, "start")


def test_second_issuer(lab, owner):
    """Granted with the root's key, it admits a host that all others take."""
    owner.one_root()
    refused = owner.run("host2", "agent admission grant host2", check=False)
    assert refused.status != 0 and "no root's key" in refused.err and "--key" in refused.err, refused
    owner.issuer()
    owner.rejoin("host3", "host2")
    lab.all_alive(ALL)
    for host in ALL:
        lab.until(lambda host=host: owner.certificate(host, "host3")["issuer"] == "host2" or None)
    text = owner.typed("host2", "agent admission ls").out
    assert "host1" in text and "host2" in text and "past half" not in text, text
    again = owner.run("host1", "agent admission grant host2", check=False)
    assert again.status != 0 and "an issuer already" in again.err, again


def test_lost_issuer(lab, owner):
    """Its host is gone: revoked from another, nobody falls out, the second goes
    on, and when it comes back after all the revocation can be lifted."""
    owner.one_root()
    owner.issuer()
    assert owner.certificate("host2", "host4")["issuer"] in ("host1", "root")
    lab.register("host4", "kept", 80, "10.0.4.40")
    lab("kill", "host1")
    lab.until(lambda: lab.states("host2")["host1"] == "dead", 60)
    done = owner.typed("host2", "agent admission revoke host1 --key-lost --key root1.key")
    assert "out of the cluster" in done.out, done
    for host in ("host2", "host3", "host4"):
        lab.until(lambda host=host: owner.certificate(host, "host1")["state"] == "revoked")
        lab.until(lambda host=host: owner.is_kept(host, "host4"))
        states = lab.states(host)
        assert [states[name] for name in ("host2", "host3", "host4")] == ["alive"] * 3, states
        lab.until(lambda host=host: "10.0.4.40" in lab.flows(host) + lab.groups(host))
    lab.register("host4", "after", 80, "10.0.4.41")
    lab.until(lambda: "after" in lab.ctl("host3", "service", "ls").out)
    owner.rejoin("host3", "host2")
    lab.until(lambda: lab.states("host4").get("host3") == "alive", 30)
    # The host is found again.
    owner.typed("host2", "agent admission lift host1 --key root1.key")
    lab("revive", "host1")
    lab.all_alive(ALL, 60)
    lab.deregister("host4", "kept")
    lab.deregister("host4", "after")


def test_end_of_an_issuer(lab, owner):
    """Alive, and an issuer no more: what it admitted stays, it admits nobody."""
    owner.one_root()
    owner.issuer()
    owner.rejoin("host3", "host2")
    lab.all_alive(ALL)
    done = owner.typed("host1", "agent admission revoke host2")
    assert "that it admitted stay" in done.out, done
    for host in ALL:
        lab.until(lambda host=host: owner.certificate(host, "host3")["issuer"] == "root" or None)
        lab.until(lambda host=host: owner.certificate(host, "host2")["roles"] == ["member"])
    lab.all_alive(ALL)
    lab.until(lambda: lab.ctl("host2", "token", "create", check=False).status == 5, 60)


def test_away_from_all_hosts(lab, owner):
    """The key never comes near a host: certificates out, records in."""
    owner.one_root()
    if "issuer" in owner.certificate("host1", "host4")["roles"]:
        owner.run("host1", "agent admission revoke host4 --key root1.key")
    owner.clear("host4.cert", "host4.records")
    owner.typed("host4", "agentctl cert show host4 --raw host4.cert")
    done = owner.typed("host3", "agent admission grant host4 --key root1.key --certificate host4.cert "
                                "--output host4.records")
    assert "host4.records has 1 record" in done.out, done
    assert "taken" in owner.typed("host4", "agentctl record submit host4.records").out
    assert "known" in owner.run("host4", "agentctl record submit host4.records").out
    for host in ALL:
        lab.until(lambda host=host: "issuer" in owner.certificate(host, "host4")["roles"])
    owner.run("host1", "agent admission revoke host4 --key root1.key")


def test_ranges(lab, owner):
    """A wider range, signed by the one root, is seen by all and given out."""
    owner.one_root()
    owner.clear("ranges.json")
    done = owner.typed("host1", "agent charter propose --containers 10.0.0.0/16 --containers 10.77.0.0/16 "
                                "--output ranges.json", check=False)
    assert done.status == 0 and "+ container 10.77.0.0/16" in done.out, done
    early = owner.run("host1", "agent charter apply ranges.json", check=False)
    assert early.status != 0 and "0 of the 1 signatures" in early.err, early
    owner.typed("host1", "agent charter sign ranges.json")
    owner.typed("host1", "agent charter show ranges.json")
    owner.typed("host1", "agent charter apply ranges.json")
    charter = owner.followed(ALL)
    assert charter["containers"] == ["10.0.0.0/16", "10.77.0.0/16"], charter
    for host in ALL:
        assert "10.77.0.0/16" in lab.sh(host, "agent", "charter", "show").out
    lab.ctl("host1", "token", "create", "--function", "web", "--subnet", "10.77.1.0/24", "--ttl", "10s")
    late = owner.run("host1", "agent charter apply ranges.json", check=False)
    assert late.status in (0, 2), late
    # Whom a narrower one would put out is said before.
    owner.clear("narrow.json")
    done = owner.run("host1", "agent charter propose --containers 10.0.1.0/24 --output narrow.json")
    assert "host2 would be out" in done.err and "host1 would" not in done.err, done
    owner.apply("--containers 10.0.0.0/16")


def test_two_of_three(lab, owner):
    """One root becomes three, of whom two sign; the first is none any more, and
    what it signs is refused.  Then one of the three is lost, and two others
    replace it."""
    owner.one_root()
    owner.grant()
    for name in ("root2.key", "root3.key", "root4.key"):
        owner.key(name)
    owner.clear("three.json", "lost.json", "old.records", "old.cert", "revoke.records")
    done = owner.typed("host1", "agent charter propose --add-root root2.key --add-root root3.key "
                                "--add-root root4.key --remove-root root1.key --threshold 2 --output three.json")
    assert "host1 is certified by a root that goes" in done.err, done
    owner.typed("host1", "agent charter sign three.json --key root1.key")
    owner.typed("host1", "agent charter apply three.json")
    assert owner.followed(ALL)["threshold"] == 2
    # What it signed before counts for a day; what it signs now is refused, by
    # the command and by every agent.
    lab.all_alive(ALL)
    refused = owner.run("host1", "agent admission renew host1 --key root1.key", check=False)
    assert refused.status == 5 and "no root of the cluster" in refused.err, refused
    owner.run("host2", "agentctl cert show host2 --raw old.cert")
    owner.run("host2", "agent admission revoke host2 --key root1.key --certificate old.cert --output old.records")
    refused = owner.run("host2", "agentctl record submit old.records", check=False)
    assert refused.status == 2 and "issuer" in refused.err, refused
    owner.run("host2", "agent admission revoke host2 --key-lost --key root1.key --certificate old.cert "
                       "--output revoke.records")
    refused = owner.run("host2", "agentctl record submit revoke.records", check=False)
    assert refused.status == 2 and "writer" in refused.err, refused
    assert lab.states("host1")["host2"] == "alive"
    # One of the three is lost.
    lost = owner.key("root3.key")
    os.unlink(owner.path("root3.key"))
    owner.key("root5.key")
    command = "agent charter propose --remove-root PUBLIC --add-root root5.key --output lost.json"
    assert command in OPERATIONS
    owner.run("host3", command.replace("PUBLIC", lost))
    refused = owner.run("host3", "agent charter sign lost.json --key root1.key", check=False)
    assert refused.status != 0 and "no root of generation" in refused.err, refused
    assert "1 signature is missing" in owner.typed("host3", "agent charter sign lost.json --key root2.key").out
    refused = owner.run("host3", "agent charter apply lost.json", check=False)
    assert refused.status != 0 and "1 of the 2 signatures" in refused.err, refused
    owner.typed("host3", "agent charter sign lost.json --key root4.key")
    owner.typed("host3", "agent charter apply lost.json")
    charter = owner.followed(ALL)
    assert lost not in charter["roots"] and owner.key("root5.key") in charter["roots"], charter
    # A new root certifies anew who hung on the first one.
    for name in ALL:
        if owner.certificate("host3", name)["issuer"] == "root":
            owner.run("host3", f"agent admission renew {name} --key root5.key")
    owner.typed("host3", "agent admission renew host1 --key root2.key", check=False)
    lab.all_alive(ALL)
    new = {owner.key(name) for name in ("root2.key", "root5.key")}
    records = lab.json("host4", "record", "ls", "--kind", "certificate")["records"]
    for name in ALL:
        anew = any(record["key"] == name and record["writer_key"] in new for record in records)
        assert anew or owner.certificate("host4", name)["issuer"] != "root", (name, records)
