"""A full disk: writes are refused with the reason, reads go on, nothing is
lost, and it heals when there is room."""
import os
import subprocess

from conftest import LAB_DIR

HOSTS = 2


def names(lab, host):
    return {service["name"] for service in lab.json(host, "service", "ls")["services"]}


def test_full_disk(lab):
    lab.register("host2", "kept", 80, "10.0.2.20", "--no-wait")
    lab("agent", "host2", "stop")
    # The host's state on a file system of its own, copied there.
    state = os.path.join(LAB_DIR, "host2", "lib")
    holder = f"{LAB_DIR}/pids/holder-host2"
    with open(holder, encoding="ascii") as file:
        pid = file.read().split()[0]
    mount = f"""set -e
        mkdir /run/small && mount -t tmpfs -o size=2m tmpfs /run/small
        cp -a /var/lib/socketnet/. /run/small/
        chown --reference=/var/lib/socketnet /run/small
        chmod --reference=/var/lib/socketnet /run/small
        mount --bind /run/small /var/lib/socketnet"""
    subprocess.run(["nsenter", "-t", pid, "-m", "-n", "-r", "-w", "bash", "-c", mount], check=True)
    assert os.path.isdir(state)
    lab("agent", "host2", "start")
    lab.all_alive(["host1", "host2"], 60)
    lab.sh("host2", "bash", "-c", "cat /dev/zero >/var/lib/socketnet/fill 2>/dev/null || true")

    # LMDB reuses pages that are free in its file; what does not fit any more
    # is refused, and nothing that was accepted before is lost.
    accepted = ["kept"]
    for number in range(2000):
        result = lab.register("host2", f"more{number}", 81, "10.0.2.21", "--no-wait", check=False)
        if result.status != 0:
            break
        accepted.append(f"more{number}")
    assert "space" in result.err or "full" in result.err, result
    # Reads go on, and the cluster still holds it for alive.
    assert names(lab, "host2") == set(accepted)
    assert lab.states("host1")["host2"] == "alive"

    # What is smaller may still have found a page, and then all is well again
    # until the next write.
    def refused():
        if lab.register("host2", "refused", 81, "10.0.2.21", "--no-wait", check=False).status == 0:
            lab.deregister("host2", "refused", check=False)
        problem = lab.ctl("host2", "status", check=False)
        return problem.status == 1 and ("space" in problem.out or "full" in problem.out)
    lab.until(refused, 60)

    # Nor is there room for the copy of the store that a backup is made of.
    done = lab.ctl("host2", "backup", "/etc/socketnet/x", check=False)
    assert done.status == 1 and "could not be copied to /var/lib/socketnet/backup.mdb" in done.err, done
    assert not [name for name in os.listdir(os.path.join(LAB_DIR, "host2", "etc")) if name.startswith("x")]
    assert not os.path.exists(os.path.join(state, "backup.mdb"))

    lab.sh("host2", "rm", "/var/lib/socketnet/fill")
    lab.until(lambda: lab.register("host2", "after", 81, "10.0.2.21", "--no-wait", check=False).status == 0)
    lab.until(lambda: lab.deregister("host2", "refused", check=False).status != 0)
    lab.until(lambda: lab.ctl("host2", "status", check=False).status == 0)
    lab("agent", "host2", "kill")
    lab("agent", "host2", "start")
    for host in ("host1", "host2"):
        lab.until(lambda host=host: names(lab, host) == {*accepted, "after"}, what=host)
