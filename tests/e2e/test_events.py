"""`agentctl events`: one line per change, at the moment it happens."""
import json
import queue
import re
import threading
import time

import pytest

from test_api import check

HOSTS = 3
# A change elsewhere is told within this, which is far below any tick.
AT_ONCE = 1.0


class Follower:
    """Lines of `agentctl events` with the time at which each arrived."""

    def __init__(self, lab, host, *options):
        self.process = lab.popen(host, "agentctl", "events", *options, stdout=-1, text=True, bufsize=1)
        self.lines = queue.Queue()
        self.seen = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put((time.monotonic(), line.rstrip("\n")))

    def expect(self, pattern, seconds=AT_ONCE):
        """The next line that fits, which has to be among those not seen yet."""
        end = time.monotonic() + seconds
        skipped = []
        while True:
            try:
                at, line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line like {pattern} within {seconds} s, but {skipped}") from None
            self.seen.append(line)
            if re.search(pattern, line):
                return at, line
            skipped.append(line)

    def rest(self):
        """Lines that are there and were not asked for."""
        lines = []
        while not self.lines.empty():
            lines.append(self.lines.get()[1])
        self.seen += lines
        return lines

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module", name="follow")
def follow_fixture(lab):
    """A follower for people on host1, which is there before anything happens."""
    follower = Follower(lab, "host1")
    subscribed(lab, follower)
    yield follower
    follower.stop()


def subscribed(lab, follower):
    """A follower without --since hears of what comes next: so make that."""
    for attempt in range(20):
        lab.register("host1", f"probe{attempt}", 80, "10.0.1.9")
        lab.deregister("host1", f"probe{attempt}")
        try:
            follower.expect(f"service probe{attempt}/.* deregistered")
            follower.rest()
            return
        except AssertionError:
            pass
    raise AssertionError("nothing is told at all")


def test_service_changes_in_order(lab, follow):
    before = time.monotonic()
    lab.register("host3", "redis", 6379, "10.0.3.203")
    at, line = follow.expect(r"^\d\d:\d\d:\d\d\.\d{3} service redis/\S+ registered on host3: 10\.0\.3\.203:6379 ")
    assert at - before < 2 * AT_ONCE
    lab.register("host3", "redis", 6380, "10.0.3.203")
    follow.expect(r"service redis/\S+ changed on host3: 10\.0\.3\.203:6380 ")
    lab.register("host2", "redis", 6379, "10.0.2.203")
    follow.expect(r"service redis/\S+ registered on host2: 10\.0\.2\.203:6379 ")
    lab.deregister("host3", "redis")
    follow.expect(r"service redis/\S+ deregistered on host3$")
    lab.deregister("host2", "redis")
    follow.expect(r"service redis/\S+ deregistered on host2$")
    # Told in order: what comes before the next one is all there was.
    lab.register("host2", "next", 1, "10.0.2.203")
    follow.expect("service .* (registered|changed|deregistered)")
    assert "service next/" in follow.seen[-1]
    lab.deregister("host2", "next")
    follow.expect("service next/.* deregistered")
    # Each change once, in the order in which they were made.
    told = [re.sub(r"^\S+ ", "", line) for line in follow.seen if " redis/" in line]
    assert [re.search(r"(registered|changed|deregistered) on (\w+)", line).groups() for line in told] == [
        ("registered", "host3"), ("changed", "host3"), ("registered", "host2"),
        ("deregistered", "host3"), ("deregistered", "host2")]


def test_a_burst_is_told_completely(lab, follow):
    lab.sh("host3", "bash", "-ec", "for i in $(seq 40); do agentctl service register burst$i --port $i "
           "--address 10.0.3.$((i + 100)) >/dev/null & done; wait")
    names = {re.search(r"service (burst\d+)/", follow.expect(r"service burst\d+/\S+ registered on host3", 3)[1]).group(1)
             for _ in range(40)}
    assert names == {f"burst{i + 1}" for i in range(40)}
    lab.sh("host3", "bash", "-ec", "for i in $(seq 40); do agentctl service deregister burst$i >/dev/null & done; wait")
    names = {re.search(r"service (burst\d+)/", follow.expect(r"service burst\d+/\S+ deregistered", 3)[1]).group(1)
             for _ in range(40)}
    assert len(names) == 40


def test_pause_and_return(lab, follow):
    lab("agent", "host3", "stop")
    follow.expect(r"member host3 paused, was alive")
    lab("agent", "host3", "start")
    follow.expect(r"member host3 alive, was paused", 5)


def test_death_and_return(lab, follow):
    lab.register("host3", "redis", 6379, "10.0.3.203")
    follow.expect("redis/.* registered on host3")
    lab("kill", "host3")
    follow.expect(r"member host3 suspect, was alive", 20)
    follow.expect(r"member host3 dead, was suspect", 60)
    lab("revive", "host3")
    follow.expect(r"member host3 alive, was dead", 60)
    lab.all_alive(["host1", "host2", "host3"])
    lab.deregister("host3", "redis")
    follow.expect("redis/.* deregistered on host3")


def test_the_switch(lab, follow):
    lab("container", "host1", "client", 101)
    follow.expect(r"port .*veth101", 5)
    lab("vswitchd", "host1", "kill")
    follow.expect(r"ovs .*up=false", 5)
    lab("vswitchd", "host1", "start")
    follow.expect(r"ovs .*up=true", 20)


def test_joining(lab, follow):
    """A fourth host's certificate arrives as a record, and then it is a member."""
    token = lab.ctl("host1", "token", "create", "--open").out.strip()
    lab.sh("host2", "bash", "-c", """cat >/run/fourth.yaml <<'CONFIG'
name: host9
state_dir: /run/fourth
run_dir: /run/fourth-run
mesh:
  address: 100.104.70.9
subnets: [10.0.9.0/24]
CONFIG""")
    lab.sh("host2", "agent", "join", "100.104.70.1", "--token", token, "--config", "/run/fourth.yaml")
    follow.expect(r"record .*change=added.*record=certificate.*about=host9", 2)


def test_json_lines_fit_their_schema(lab):
    for _ in range(10):
        lab.register("host1", "told", 80, "10.0.1.9")
        lab.deregister("host1", "told")
    kept = [json.loads(line) for line in
            lab.ctl("host1", "events", "--no-follow", "-o", "json").out.splitlines()]
    assert len(kept) > 20
    kinds = {check(event, "event")["kind"] for event in kept}
    assert {"service", "member", "record", "ovs", "port"} <= kinds, kinds
    indexes = [event["index"] for event in kept]
    assert indexes == list(range(indexes[0], indexes[0] + len(indexes)))
    times = [event["time"] for event in kept]
    assert times == sorted(times)


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_lines_live(lab, form):
    follower = Follower(lab, "host2", "-o", form)
    try:
        for attempt in range(20):
            lab.register("host1", f"live{attempt}", 80, "10.0.1.9")
            lab.deregister("host1", f"live{attempt}")
            try:
                _, line = follower.expect(f'"live{attempt}"')
                break
            except AssertionError:
                continue
        else:
            raise AssertionError("nothing is told")
        event = check(json.loads(line), "event")
        assert event["kind"] == "service" and event["node"] == "host1"
        # From there on without a gap, also for one who comes later.
        later = lab.ctl("host2", "events", "--no-follow", "--since", str(event["index"] - 1), "-o", "json").out
        assert json.loads(later.splitlines()[0]) == event
    finally:
        follower.stop()


def test_followers_do_not_hold_up_the_agent(lab):
    """One that does not read is cut off or buffered, and nothing waits for it."""
    deaf = lab.popen("host1", "agentctl", "events", "-o", "json", stdout=-1)
    try:
        register = """
            api=http://agent/api/v1/services
            for i in $(seq 200); do
                curl -sS -o /dev/null -f --unix-socket /run/socketnet/api.sock $api -d \
                    "{\\"name\\": \\"deaf\\", \\"port\\": $i, \\"address\\": \\"10.0.1.9\\"}"
            done"""
        lab.sh("host1", "bash", "-ec", register, timeout=120)
        lab.deregister("host1", "deaf")
        assert lab.ctl("host1", "members").status == 0
    finally:
        deaf.terminate()
        deaf.wait(10)
        deaf.stdout.close()
