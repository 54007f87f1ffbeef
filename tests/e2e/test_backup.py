"""Backup and restore as docs/OPERATIONS says; what is wrong with a file is told before anything is changed."""
import hashlib
import io
import json
import os
import subprocess
import tarfile

import pytest

HOSTS = 2
NAMES = ["host1", "host2"]
REDIS = "10.0.2.10"


def epoch(lab, host, of):
    """The epoch of the member record that `host` holds of `of`."""
    return max(record["epoch"] for record in lab.json(host, "record", "ls", "--kind", "member")["records"]
               if record["writer"] == of)


@pytest.fixture(name="backup", scope="module")
def backup_fixture(lab):
    """A backup of host2, with a service of its own; the path on host2."""
    lab.all_alive(NAMES)
    lab.container("host2", "redis", 10)
    lab.register("host2", "redis", 6379, REDIS, "--port-name", "veth10", "--check", "tcp", "--no-wait")
    path = lab.path("host2", "etc", "host2.backup")
    done = lab.ctl("host2", "backup", "/etc/socketnet/host2.backup")
    assert "node host2 of cluster" in done.out and "it is secret" in done.err
    assert os.stat(path).st_mode & 0o777 == 0o600
    return path


def restore(lab, *arguments, check=True):
    return lab.sh("host2", "agent", "restore", *arguments, check=check)


def put(lab, name, content):
    with open(lab.path("host2", "etc", name), "wb") as file:
        file.write(content)
    return f"/etc/socketnet/{name}"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def members(content):
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar.getmembers()]


def packed(files):
    """The archive of these files, with a checksum that holds."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        size = tar.offset
    content = out.getvalue()[:size]
    text = hashlib.blake2b(content, digest_size=32).hexdigest().encode() + b"\n"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo("checksum")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    return content + out.getvalue()


def test_node_comes_back(lab, backup):
    assert [name for name, _ in members(read(backup))][-2:] == ["data.mdb", "checksum"]
    assert not os.path.exists(lab.path("host2", "lib", "backup.mdb"))
    # What came later is not in it, and its starts are more than the backup knows of.
    lab.register("host2", "later", 1, "10.0.2.11", "--no-wait")
    for _ in range(2):
        lab("agent", "host2", "stop")
        lab("agent", "host2", "start")
    lab.until(lambda: lab.states("host1").get("host2") == "alive")
    before = epoch(lab, "host1", "host2")
    lab("agent", "host2", "kill")
    lab.sh("host2", "sh", "-c", "rm -r /var/lib/socketnet/*")
    done = restore(lab, "/etc/socketnet/host2.backup")
    assert "node host2 of cluster" in done.out
    assert "0 faults" in lab.sh("host2", "agent", "store", "check").out
    lab("agent", "host2", "start")
    lab.all_alive(NAMES)
    lab.until(lambda: epoch(lab, "host1", "host2") > before)
    assert epoch(lab, "host1", "host2") >> 32 > (before >> 32) + 60000

    def offered():
        services = {service["name"]: service for service in lab.json("host1", "service", "ls")["services"]}
        return "redis" in services and services["redis"]["instances"]
    lab.until(offered)
    # The check has come back too.
    assert "check" in json.dumps(lab.json("host2", "service", "show", "redis"))
    assert "redis" in lab.sh("host2", "agent", "store", "dump", "--kind", "setting").out
    assert lab.ctl("host1", "record", "verify").status == 0


def test_refused_against_a_live_agent(lab, backup):
    assert os.path.exists(backup)
    done = restore(lab, "/etc/socketnet/host2.backup", "--yes", check=False)
    assert done.status == 1 and "an agent runs here: stop it first" in done.err
    assert lab.states("host2")["host1"] == "alive"


@pytest.fixture(name="stopped")
def stopped_fixture(lab):
    lab("agent", "host2", "stop")
    state = subprocess.run(["sh", "-c", f"cd {lab.path('host2', 'lib')} && find . -type f -not -name lock.mdb "
                            "-exec sha256sum {} + | sort"], capture_output=True, text=True, check=True).stdout

    def unchanged():
        now = subprocess.run(["sh", "-c", f"cd {lab.path('host2', 'lib')} && find . -type f -not -name lock.mdb "
                              "-exec sha256sum {} + | sort"], capture_output=True, text=True, check=True).stdout
        assert now == state
    yield unchanged
    unchanged()
    lab("agent", "host2", "start")
    lab.all_alive(NAMES)


def test_bad_files_change_nothing(lab, backup, stopped):
    good = read(backup)
    files = members(good)[:-1]
    by_name = dict(files)
    assert packed(files)[:len(good) // 2] != b""

    def without(name):
        return [(n, c) for n, c in files if n != name]

    def with_(name, content):
        return [(n, content if n == name else c) for n, c in files]
    description = json.loads(by_name["backup.json"])
    newer = json.dumps(dict(description, version=2)).encode()
    other = bytearray(by_name["genesis"])
    other[-1] ^= 1
    damaged = bytearray(by_name["data.mdb"])
    at = damaged.find(by_name["certificate"])
    assert at > 0
    damaged[at + len(by_name["certificate"]) - 1] ^= 1
    turned = bytearray(good)
    turned[len(good) // 2] ^= 4
    for content, words in (
            (good[:len(good) // 2], "it is cut off"),
            (good[:100], "it is cut off"),
            (b"", "it is cut off"),
            (bytes(turned), "its checksum does not hold"),
            (b"no backup at all\n" * 100, "it is no backup"),
            (packed([("x", b"y")]), "it is no backup"),
            (packed(with_("backup.json", newer)), "a backup of another version"),
            (packed(without("node.key")), "lacks node.key"),
            (packed(without("data.mdb")), "cannot use the store"),
            (packed(files + [("../../etc/passwd", b"")]), "that is none of a node's"),
            (packed(with_("genesis", bytes(other))), "is not of one node"),
            (packed(with_("node.key", by_name["node.key"][::-1])), "is not of one node"),
            (packed(with_("data.mdb", bytes(damaged))), "its signature does not verify"),
            (packed(with_("data.mdb", by_name["data.mdb"][:5000])), "cannot use the store"),
            (packed(with_("data.mdb", b"x" * 8192)), "cannot use the store")):
        path = put(lab, "bad.backup", content)
        done = restore(lab, path, "--yes", check=False)
        assert done.status == 1, (words, done)
        assert words in done.err and "nothing was changed" in done.err, (words, done)
        stopped()
    assert "No such file" in restore(lab, "/nowhere/x", check=False).err


def test_another_node_is_not_overwritten(lab, backup, stopped):
    done = restore(lab, "/etc/socketnet/host2.backup", check=False)
    assert done.status == 1 and "this host is node host2 of cluster" in done.err and "give --yes" in done.err
    lab.ctl("host1", "backup", "/etc/socketnet/host1.backup")
    put(lab, "host1.backup", read(lab.path("host1", "etc", "host1.backup")))
    done = restore(lab, "/etc/socketnet/host1.backup", check=False)
    assert done.status == 1 and "is of node host1 of cluster" in done.err
    stopped()
    assert read(backup)


def test_restore_without_room_changes_nothing(lab, stopped):
    done = lab.sh("host2", "sh", "-c", """
        mkdir -p /run/tiny && mount -t tmpfs -o size=32k tmpfs /run/tiny &&
        printf 'name: host2\\nmesh: {interface: nm-privacy}\\nstate_dir: /run/tiny/state\\n' >/run/tiny/agent.yaml &&
        agent restore /etc/socketnet/host2.backup --config /run/tiny/agent.yaml; echo status $?
        ls -A /run/tiny; umount /run/tiny""")
    assert "status 1\nagent.yaml\n" in done.out, done
    assert "No space left" in done.err, done
    stopped()


def test_backup_is_whole_or_not_at_all(lab, backup):
    done = lab.ctl("host2", "backup", "/etc/socketnet/host2.backup", check=False)
    assert done.status == 1 and "exists: give another name" in done.err
    done = lab.ctl("host2", "backup", "/nowhere/x", check=False)
    assert done.status == 1 and "cannot write /nowhere/x: No such file" in done.err
    done = lab.sh("host2", "sh", "-c", """
        mkdir -p /run/tiny && mount -t tmpfs -o size=16k tmpfs /run/tiny
        agentctl backup /run/tiny/x; echo status $?; ls -A /run/tiny; umount /run/tiny""")
    assert done.out == "status 1\n" and "No space left" in done.err, done
    # A user of the group may ask for one, and may not read the keys.
    done = lab.sh("host2", "sh", "-c", """
        mkdir -p -m 1777 /run/anybody; setpriv --reuid 65534 --regid socketnet --clear-groups \
        agentctl backup /run/anybody/x; echo status $?; ls -A /run/anybody""")
    assert "status 1\n" == done.out and "run it as root" in done.err, done
    assert not [name for name in os.listdir(lab.path("host2", "etc")) if name.startswith("host2.backup.")]
    assert read(backup)
