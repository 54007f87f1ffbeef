"""End-to-end tests: real agents, Open vSwitch, WireGuard, Redis and DNS
clients in the hosts of deploy/lab.

SOCKETNET_AGENT names the executable (tests/run passes the dev build).  The
lab of these tests lives in a directory of its own, so that one a person has
up is noticed and not touched: only one lab can be up at a time, as the
namespaces have fixed names.
"""
import json
import os
import subprocess
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAB_DIR = os.environ.get("SOCKETNET_LAB", "/var/lib/socketnet-lab-e2e")
AGENT = os.environ.get("SOCKETNET_AGENT", os.path.join(ROOT, "build-dev-gcc", "agent", "agent"))
# Leaks are looked for at exit; helpers of the lab kill agents on purpose.
ENVIRONMENT = dict(os.environ, SOCKETNET_LAB=LAB_DIR, SOCKETNET_AGENT=AGENT,
                   ASAN_OPTIONS="abort_on_error=0:log_to_syslog=0",
                   UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")


class Result:
    """What a command printed, and how it ended."""

    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def __repr__(self):
        return f"status {self.status}\nout: {self.out}\nerr: {self.err}"


class Lab:
    """deploy/lab, as Python."""

    def __call__(self, *arguments, check=True, timeout=120, stdin=None):
        # Output goes through files: a process left in the background (an
        # agent) must not keep a pipe open.
        with open(os.path.join("/tmp", f"e2e-{os.getpid()}.out"), "w+b") as out, \
                open(os.path.join("/tmp", f"e2e-{os.getpid()}.err"), "w+b") as err:
            done = subprocess.run([os.path.join(ROOT, "deploy", "lab"), *map(str, arguments)],
                                  stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=err,
                                  timeout=timeout, env=ENVIRONMENT, check=False)
            out.seek(0)
            err.seek(0)
            done.stdout = out.read().decode(errors="replace")
            done.stderr = err.read().decode(errors="replace")
            os.unlink(out.name)
            os.unlink(err.name)
        result = Result(done)
        assert not check or result.status == 0, f"lab {' '.join(map(str, arguments))}: {result}"
        return result

    def sh(self, place, *command, check=True, timeout=60, stdin=None):
        return self("sh", place, *command, check=check, timeout=timeout, stdin=stdin)

    def popen(self, place, *command, **kwargs):
        return subprocess.Popen([os.path.join(ROOT, "deploy", "lab"), "sh", place, *command],
                                env=ENVIRONMENT, **kwargs)

    def ctl(self, host, *arguments, check=True):
        return self.sh(host, "agentctl", *arguments, check=check)

    def json(self, host, *arguments):
        return json.loads(self.ctl(host, *arguments, "-o", "json").out)

    def api(self, host, path):
        text = self.sh(host, "curl", "-sS", "--unix-socket", "/run/socketnet/api.sock",
                       f"http://agent{path}").out
        return json.loads(text)

    def register(self, host, name, port, address, *more, check=True):
        return self.ctl(host, "service", "register", name, "--port", str(port),
                        "--address", address, *more, check=check)

    def deregister(self, host, name, *more, check=True):
        return self.ctl(host, "service", "deregister", name, *more, check=check)

    def states(self, host):
        return {member["name"]: member["state"] for member in self.json(host, "members")["members"]}

    def flows(self, host):
        """What the switch itself says, ours and foreign ones."""
        return self.sh(host, "ovs-ofctl", "-O", "OpenFlow15", "--no-stats", "dump-flows", "socket").out

    def groups(self, host):
        return self.sh(host, "ovs-ofctl", "-O", "OpenFlow15", "dump-groups", "socket").out

    def instances(self, host, name):
        """Addresses of a function's usable instances, by the host's DNS."""
        lines = self.sh(host, "dig", "@127.0.0.1", "+noall", "+additional", f"_{name}._tcp.mesh.internal",
                        "SRV").out.splitlines()
        return {line.split()[-1] for line in lines}

    def path(self, host, *parts):
        """A file of a host as seen from outside: host1, lib/node.key."""
        return os.path.join(LAB_DIR, host, *parts)

    def agent_pids(self, host):
        """launcher, core, worker."""
        with open(os.path.join(LAB_DIR, "pids", f"agent-{host[4:]}"), encoding="ascii") as file:
            launcher = int(file.read().split()[0])
        children = subprocess.run(["pgrep", "-P", str(launcher)], capture_output=True, text=True,
                                  check=False).stdout.split()
        return [launcher, *map(int, children)]

    def log(self, host):
        with open(os.path.join(LAB_DIR, "log", f"agent-{host[4:]}.log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    @staticmethod
    def until(check, seconds=20, what=""):
        """Waits until check() is true; its last value is part of the failure."""
        end = time.monotonic() + seconds
        while True:
            value = check()
            if value:
                return value
            assert time.monotonic() < end, f"did not hold within {seconds} s: {what} {value!r}"
            time.sleep(0.1)

    def all_alive(self, names, seconds=30):
        for host in names:
            self.until(lambda host=host: self.states(host) == dict.fromkeys(names, "alive") or None,
                       seconds, f"{host} sees all alive: {self.states(host)}")

    def container(self, host, name, number):
        """A container at 10.0.N.number, port vethNUMBER, unless it is there
        already; its address."""
        if not os.path.exists(os.path.join(LAB_DIR, "pids", f"holder-{host}.{name}")):
            self("container", host, name, number)
        return f"10.0.{host[4:]}.{number}"

    def start_redis(self, host, number, name="redis"):
        """A container with redis-server in it, unless it runs already."""
        address = self.container(host, name, number)
        if self.redis(f"{host}/{name}", address, "ping").out == "PONG\n":
            return address
        self.sh(f"{host}/{name}", "redis-server", "--bind", address, "--save", "",
                "--protected-mode", "no", "--daemonize", "yes", "--dir", "/tmp")
        self.until(lambda: self.redis(f"{host}/{name}", address, "set", "whoami", host).out.startswith("OK"))
        return address

    def redis(self, place, address, *command, seconds=3):
        return self.sh(place, "timeout", str(seconds), "redis-cli", "-h", address, *command, check=False)


def no_sanitizer_report(lab):
    """Every agent's log, looked through for what the sanitizers print."""
    directory = os.path.join(LAB_DIR, "log")
    for name in sorted(os.listdir(directory)):
        if name.startswith("agent-"):
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
            for word in ("AddressSanitizer", "LeakSanitizer", "runtime error", "Assertion"):
                assert word not in text, f"{name}: {text[text.find(word) - 200:][:4000]}"


@pytest.fixture(scope="module", name="lab")
def lab_fixture(request):
    """As many joined hosts as the module's HOSTS says, torn down after it."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    lab = Lab()
    hosts = getattr(request.module, "HOSTS", 3)
    lab("down")
    try:
        lab("up", hosts)
        lab.all_alive([f"host{n + 1}" for n in range(hosts)])
        yield lab
        no_sanitizer_report(lab)
    finally:
        lab("down")
