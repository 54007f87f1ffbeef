"""Root's copy of the genesis: core's user, who owns the state directory, cannot
give the worker another; a reset takes all of it away."""
import os

HOSTS = 1


def test_core_cannot_swap_it(lab):
    assert sorted(os.listdir(lab.path("host1", "pin"))) == ["charter", "genesis"]
    before = lab.flows("host1")
    charter = lab.path("host1", "lib", "charter")
    with open(charter, "rb") as file:
        kept = file.read()
    worker = next(pid for pid in lab.agent_pids("host1")[1:] if name_of(pid) == "agent-worker")
    # As core's user: nothing else may be written there.
    refused = lab.sh("host1", "setpriv", "--reuid", "socketnet", "--clear-groups", "touch",
                     "/var/lib/socketnet.pin/charter", check=False)
    assert refused.status != 0, refused
    with open(charter, "wb") as file:
        file.write(b"x")
    lab.sh("host1", "kill", "-KILL", str(worker))
    lab.until(lambda: "root's copy in /var/lib/socketnet.pin holds" in lab.log("host1"))
    with open(charter, "wb") as file:
        file.write(kept)
    lab.until(lambda: lab.ctl("host1", "status", check=False).status == 0, 20)
    assert lab.ctl("host1", "flow", "diff").status == 0
    assert len(lab.flows("host1").splitlines()) == len(before.splitlines())


def test_reset_takes_it_away(lab):
    """And what a restore that was cut short has left."""
    lab("agent", "host1", "stop")
    lab.sh("host1", "bash", "-c", "cd /var/lib/socketnet && mkdir -p restore.tmp/db && "
           "touch restore.tmp/node.key restore.tmp/genesis restore.tmp/db/data.mdb restore.tmp/db/lock.mdb")
    done = lab.sh("host1", "agent", "reset", "--yes")
    assert "remove /var/lib/socketnet/restore.tmp/node.key" in done.out, done
    assert os.listdir(lab.path("host1", "lib")) == [], done
    assert os.listdir(lab.path("host1", "pin")) == [], done


def name_of(pid):
    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
        return file.read().strip()
