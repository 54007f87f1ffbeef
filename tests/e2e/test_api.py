"""Every route of the API and every command of agentctl, asked of two real
agents without a data plane, on loopback addresses of a namespace of their
own; each JSON answer is checked against its schema in docs/schema.
"""
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from conftest import AGENT, ENVIRONMENT, ROOT, Lab, Result

NAMESPACE = "sn-api"
CONFIG = """name: {name}
state_dir: {dir}/state
run_dir: {dir}/run
services_dir: {dir}/services.d
mesh: {{address: 127.0.1.{n}}}
subnets: [10.0.{n}.0/24]
reconcile: false
user: daemon
"""


def fits(value, schema, where="answer"):
    """What of JSON Schema our schemas use, and no field they do not name."""
    if "anyOf" in schema:
        problems = []
        for choice in schema["anyOf"]:
            try:
                return fits(value, choice, where)
            except AssertionError as problem:
                problems.append(str(problem))
        raise AssertionError(problems)
    if "const" in schema:
        assert value == schema["const"], f"{where}: {value!r}"
    if "enum" in schema:
        assert value in schema["enum"], f"{where}: {value!r} of {schema['enum']}"
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
             "null": type(None)}
    if "type" in schema:
        assert type(value) is kinds[schema["type"]], f"{where}: {value!r} is no {schema['type']}"
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties", False)
        for key in schema.get("required", []):
            assert key in value, f"{where} has no {key}"
        for key, part in value.items():
            assert key in properties or others, f"{where}.{key} is in no schema"
            rule = properties.get(key, others)
            fits(part, rule if isinstance(rule, dict) else {}, f"{where}.{key}")
    if isinstance(value, list):
        for i, part in enumerate(value):
            fits(part, schema["items"], f"{where}[{i}]")
    if isinstance(value, str):
        assert schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1 << 20), where
        assert re.search(schema.get("pattern", ""), value), f"{where}: {value!r}"
    if isinstance(value, int) and not isinstance(value, bool):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), f"{where}: {value}"


def check(value, name):
    with open(os.path.join(ROOT, "docs", "schema", name + ".json"), encoding="utf-8") as file:
        fits(value, json.load(file), name)
    return value


class Node:
    """One agent without a worker."""

    def __init__(self, directory, n):
        self.name = f"host{n}"
        self.dir = os.path.join(directory, self.name)
        self.socket = os.path.join(self.dir, "run", "api.sock")
        self.config = os.path.join(self.dir, "agent.yaml")
        self.ctl_path = os.path.join(directory, "agentctl")
        self.process = None
        os.makedirs(os.path.join(self.dir, "services.d"))
        os.chmod(self.dir, 0o755)
        with open(self.config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(name=self.name, dir=self.dir, n=n))

    def agent(self, *arguments):
        done = subprocess.run(["nsenter", f"--net=/run/netns/{NAMESPACE}", AGENT, *arguments, "--config",
                               self.config], capture_output=True, text=True, timeout=60,
                              env=ENVIRONMENT, check=False)
        assert done.returncode == 0, Result(done)

    def start(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{NAMESPACE}", AGENT, "run", "--config", self.config],
                stdout=log, stderr=log, env=ENVIRONMENT)
        Lab.until(lambda: os.path.exists(self.socket) and self.curl("/ready")[0] == 200)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(30) == 0, self.log()
            self.process = None

    def log(self):
        with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def ctl(self, *arguments, status=0, timeout=30):
        done = subprocess.run([self.ctl_path, "--addr", f"unix:{self.socket}", *arguments],
                              capture_output=True, text=True, timeout=timeout, env=ENVIRONMENT,
                              check=False)
        assert done.returncode == status, f"{arguments}: {Result(done)}"
        return Result(done)

    def json(self, schema, *arguments, status=0):
        return check(json.loads(self.ctl(*arguments, "-o", "json", status=status).out), schema)

    def curl(self, path, method="GET", body=None):
        command = ["curl", "-sS", "-m", "20", "--unix-socket", self.socket, "-X", method, "-w",
                   "\n%{http_code}", f"http://agent{path}"]
        done = subprocess.run(command + (["-d", body] if body is not None else []),
                              capture_output=True, text=True, timeout=30, check=False)
        text, _, status = done.stdout.rpartition("\n")
        return int(status or 0), text

    def post(self, path, body):
        status, text = self.curl(path, "POST", body if isinstance(body, str) else json.dumps(body))
        return status, json.loads(text)


@pytest.fixture(scope="module", name="nodes")
def nodes_fixture():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    # Not pytest's: the agent's own user has to get there, and each pytest that
    # starts shuts the directory above its own again.
    directory = tempfile.mkdtemp(prefix="socketnet-api-")
    os.chmod(directory, 0o755)
    os.symlink(AGENT, os.path.join(directory, "agentctl"))
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    nodes = []
    try:
        subprocess.run(["nsenter", f"--net=/run/netns/{NAMESPACE}", "ip", "link", "set", "lo", "up"], check=True)
        nodes = [Node(directory, 1), Node(directory, 2)]
        nodes[0].agent("init", "--cluster", "lab")
        nodes[0].start()
        token = nodes[0].ctl("token", "create", "--open").out.strip()
        nodes[1].agent("join", "127.0.1.1", "--token", token)
        nodes[1].start()
        for node in nodes:
            Lab.until(lambda node=node: node.ctl("members").out.count(" alive ") == 2)
        yield nodes
        for node in nodes:
            node.stop()
            assert "Sanitizer" not in node.log() and "runtime error" not in node.log(), node.log()
    finally:
        for node in nodes:
            if node.process is not None:
                node.process.kill()
                node.process.wait()
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=False)
        shutil.rmtree(directory)


def test_status(nodes):
    status = nodes[0].json("status", "status")
    assert status["node"] == "host1" and status["healthy"] and status["issuer"]
    assert status["members"]["alive"] == 2 and status["worker"] is None
    assert not nodes[1].json("status", "status")["issuer"]
    out = nodes[0].ctl("status").out
    assert "host1 (alive, issuer)" in out and "healthy" in out
    assert nodes[0].json("health", "health")["healthy"]
    assert nodes[0].ctl("health").out == "healthy\n"
    assert check(json.loads(nodes[0].curl("/api/v1/ready")[1]), "ready")["ready"]


def test_members(nodes):
    members = nodes[0].json("members", "members")["members"]
    assert [member["name"] for member in members] == ["host1", "host2"]
    assert members[0]["roles"] == ["member", "issuer"] and members[1]["roles"] == ["member"]
    assert members[1]["subnets"] == ["10.0.2.0/24"]
    lines = nodes[0].ctl("members").out.splitlines()
    assert lines[0].split() == ["NAME", "ADDR", "STATE", "RTT", "HEARD", "VERSION"]
    assert lines[1].split()[:3] == ["host1", "127.0.1.1:7720", "alive"]
    assert len(nodes[0].ctl("members", "-o", "jsonl").out.splitlines()) == 2


def test_register_resolve_deregister(nodes):
    written = nodes[0].json("written", "service", "register", "vector_db", "--port", "6333", "--address",
                            "10.0.1.7", "--port-name", "veth7", "--tag", "a", "--meta", "k=v")
    assert written["name"] == "vector-db" and written["instance"] == "veth7" and written["converged"]
    assert written["service"]["tags"] == ["a"] and written["service"]["meta"] == {"k": "v"}
    nodes[1].ctl("service", "register", "Vector-DB", "--port", "6333", "--address", "10.0.2.7",
                 "--priority", "5")
    for node in nodes:
        Lab.until(lambda node=node: len(node.json("service", "service", "show", "vector_db")
                                        ["service"]["instances"]) == 2)
    services = nodes[0].json("services", "service", "ls")["services"]
    assert [service["name"] for service in services] == ["vector-db"]
    assert services[0]["address"] == written["address"] and services[0]["dns"] == "vector-db.mesh.internal"
    assert [i["instance"] for i in services[0]["instances"]] == ["veth7", "host2"]
    assert services[0]["instances"][1]["signer"]["node"] == "host2"
    heads = nodes[0].ctl("service", "ls").out.splitlines()[0].split()
    assert heads == ["NAME", "INSTANCE", "NODE", "ADDRESS:PORT", "STATE", "SERVICE-ADDRESS", "CHECK"]

    resolved = nodes[1].json("resolve", "resolve", "VECTOR_DB")
    assert resolved["address"] == written["address"]
    assert len(resolved["instances"]) == 2 and resolved["unusable"] == []
    assert "veth7 on host1" in nodes[1].ctl("service", "show", "vector-db").out

    assert "host1" not in nodes[1].ctl("service", "deregister", "vector-db").out
    nodes[0].json("written", "service", "deregister", "vector-db", "--instance", "veth7")
    for node in nodes:
        Lab.until(lambda node=node: node.json("services", "service", "ls")["services"] == [])


def test_check_makes_critical(nodes):
    nodes[0].ctl("service", "register", "dead", "--port", "9", "--address", "127.0.1.1", "--check",
                 "tcp", "--interval", "100ms")
    Lab.until(lambda: '"critical"' in nodes[0].curl("/api/v1/resolve/dead")[1])
    done = nodes[0].ctl("resolve", "dead", status=1)
    assert "critical" in done.out
    check(json.loads(nodes[1].curl("/api/v1/resolve/dead")[1]), "resolve")
    nodes[0].ctl("service", "deregister", "dead")


def test_services_d(nodes):
    path = os.path.join(nodes[0].dir, "services.d", "web.yaml")
    with open(path, "w", encoding="ascii") as file:
        file.write("service: {name: web, port: 80, address: 10.0.1.80}\n")
    Lab.until(lambda: "web" in nodes[1].ctl("service", "ls").out)
    with open(path, "w", encoding="ascii") as file:
        file.write("service: {name: web, prot: 80, address: 10.0.1.80}\n")
    problem = Lab.until(lambda: [p for p in nodes[0].json("health", "health")["problems"]
                                 if p["id"] == "services.d"])[0]
    assert problem["level"] == "warn" and "web.yaml" in problem["text"]
    os.unlink(path)
    Lab.until(lambda: "web" not in nodes[1].ctl("service", "ls").out)
    Lab.until(lambda: not nodes[0].json("health", "health")["problems"])


def test_admission(nodes, tmp_path):
    """Certificates, the charter, and a record that is handed in."""
    certificates = nodes[0].json("certificates", "cert", "show")["certificates"]
    by_name = {one["name"]: one for one in certificates}
    assert by_name["host1"]["issuer"] == "root" and "issuer" in by_name["host1"]["roles"], certificates
    assert by_name["host2"]["issuer"] == "host1" and by_name["host2"]["state"] == "in-force", certificates
    one = nodes[0].json("certificate", "cert", "show", "HOST2")["certificate"]
    assert one["raw"] == by_name["host2"]["raw"]
    assert nodes[0].json("certificate", "cert", "show", one["key"])["certificate"]["name"] == "host2"
    status, text = nodes[1].curl("/api/v1/charter")
    charter = check(json.loads(text), "charter")
    assert status == 200 and charter["generation"] == 1 and charter["signed_by"] == charter["roots"], charter
    path = str(tmp_path / "host2.cert")
    nodes[0].ctl("cert", "show", "host2", "--raw", path)
    assert nodes[1].json("records-offered", "record", "submit", path)["records"][0]["result"] == "known"
    # Another last byte of its body: another record, and forged.
    with open(path, "rb") as file:
        forged = bytearray(file.read())
    forged[-65] ^= 1
    status, text = nodes[1].curl("/api/v1/records", "POST", json.dumps({"records": [forged.hex()]}))
    answer = check(json.loads(text), "error")
    assert status == 422 and answer["records"][0]["reason"] in ("signature", "body"), answer
    assert "there is no node" in nodes[1].ctl("cert", "show", "nobody", status=4).err


def test_policy(nodes):
    """What a node may do is what it can register, and says who decides."""
    ask = ["policy", "check", "--node"]
    nodes[1].ctl("service", "register", "asked", "--port", "1", "--address", "10.0.2.1")
    Lab.until(lambda: nodes[0].json("policy-check", *ask, "host1", "--function", "asked")
              ["checks"][0]["service"]["ground"] == "claimed")
    answer = nodes[0].json("policy-check", *ask, "host1", "--function", "Asked", "--address", "10.0.1.1",
                           "--subnet", "10.0.1.0/25")
    assert answer["allowed"] and [one["allowed"] for one in answer["checks"]] == [True] * 3, answer
    service = answer["checks"][0]["service"]
    assert service["record"]["writer"] == "host1" and service["others"] == 1, service
    assert service["address"] in nodes[0].ctl("resolve", "asked").out
    nodes[1].ctl("service", "deregister", "asked")
    answer = nodes[0].json("policy-check", *ask, "HOST2", "--address", "10.0.1.1", status=5)
    check_one = answer["checks"][0]
    assert check_one["reason"] == "outside-certificate" and check_one["record"]["kind"] == "certificate", answer
    nodes[1].ctl("service", "register", "no", "--port", "1", "--address", "10.0.1.1", status=2)
    answer = nodes[1].json("policy-check", *ask, "host2", "--subnet", "8.8.8.0/24", "--intent", "x", status=5)
    assert [one["reason"] for one in answer["checks"]] == ["outside-charter", "no-scope"], answer
    assert answer["checks"][0]["record"]["kind"] == "charter", answer
    host2 = nodes[0].json("members", "members")["members"][1]
    assert host2["name"] == "host2" and host2["key"] == answer["key"]
    out = nodes[1].ctl(*ask, host2["id"], "--function", "a").out.splitlines()
    assert out[0].split() == ["ANSWER", "ASKED", "DECIDED-BY", "WHY"], out
    assert out[1].startswith("allowed  function a  certificate host2 by host1  the pattern *"), out
    assert "there is no node" in nodes[0].ctl(*ask, "nobody", "--function", "a", status=4).err
    assert "nothing is asked" in nodes[0].ctl(*ask, "host1", status=2).err
    wrong = nodes[0].ctl(*ask, "host1", "--subnet", "10.0.1.1/24", status=2).err
    assert "10.0.1.1/24 is no subnet" in wrong and "as 10.0.3.0/24" in wrong, wrong


def test_records(nodes):
    nodes[0].ctl("service", "register", "gone", "--port", "1", "--address", "10.0.1.1")
    nodes[0].ctl("service", "deregister", "gone")
    Lab.until(lambda: "tombstone" in nodes[1].ctl("record", "ls").out)
    records = nodes[0].json("records", "record", "ls")["records"]
    kinds = {record["kind"] for record in records}
    assert {"certificate", "member", "tombstone"} <= kinds
    assert any(record["writer"] == "(admission)" for record in records)
    only = nodes[0].json("records", "record", "ls", "--kind", "member")["records"]
    assert len(only) == 2 and {record["kind"] for record in only} == {"member"}
    verified = nodes[1].json("records-verify", "record", "verify")
    assert verified["checked"] == verified["valid"] == len(records) and verified["invalid"] == []
    assert "0 not" in nodes[0].ctl("record", "verify").out
    assert "there is no such kind" in nodes[0].ctl("record", "ls", "--kind", "x", status=2).err


def wait_for_follower(node, follower):
    """Registers something new until the follower tells of it."""
    for attempt in range(50):
        node.ctl("service", "register", f"probe{attempt}", "--port", "1", "--address", "10.0.1.2")
        if select.select([follower.stdout], [], [], 0.3)[0]:
            break
    node.ctl("service", "deregister", f"probe{attempt}")
    while f"service probe{attempt}/host1 deregistered" not in follower.stdout.readline():
        pass


def test_events_live(nodes):
    with subprocess.Popen([nodes[0].ctl_path, "--addr", f"unix:{nodes[0].socket}", "events"],
                          stdout=subprocess.PIPE, text=True, bufsize=1, env=ENVIRONMENT) as follower:
        try:
            # Nothing tells when it follows: something is done until it says so.
            wait_for_follower(nodes[0], follower)
            nodes[1].ctl("service", "register", "live", "--port", "1", "--address", "10.0.2.1")
            line = follower.stdout.readline()
            assert "service live/host2 registered on host2: 10.0.2.1:1 passing" in line
            # The issuer claims the function's address.
            line = follower.stdout.readline()
            assert "record=function about=live writer=host1" in line
            nodes[1].ctl("service", "deregister", "live")
            assert "service live/host2 deregistered on host2" in follower.stdout.readline()
        finally:
            follower.terminate()
    kept = [check(json.loads(line), "event")
            for line in nodes[0].ctl("events", "--no-follow", "-o", "jsonl").out.splitlines()]
    assert [event["index"] for event in kept] == list(range(kept[0]["index"], kept[-1]["index"] + 1))
    last = kept[-1]["index"]
    assert len(nodes[0].ctl("events", "--no-follow", "--since", str(last - 1)).out.splitlines()) == 1
    assert nodes[0].ctl("events", "--no-follow", "--since", str(last)).out == ""
    assert nodes[0].curl("/api/v1/events?since=x")[0] == 400


def test_backup(nodes, tmp_path):
    path = tmp_path / "n1.backup"
    answer = nodes[0].json("backup", "backup", str(path))
    assert answer["file"] == str(path) and answer["node"] == "host1"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [name.name for name in tmp_path.iterdir()] == ["n1.backup"]
    assert not os.path.exists(answer["store"])
    assert "exists" in nodes[0].ctl("backup", str(path), status=1).err


def test_tokens(nodes):
    token = nodes[0].json("token", "token", "create", "--ttl", "1h", "--function", "web-*")
    assert token["functions"] == ["web-*"] and token["warning"] is None
    done = nodes[0].ctl("token", "create")
    assert re.fullmatch(r"snt2\.[\w-]+\n", done.out)
    assert "warning" in done.err and "agent join 127.0.1.1:7720 --token" in done.err
    refused = nodes[1].ctl("token", "create", status=5)
    assert "on host1" in refused.err
    assert nodes[0].ctl("token", "create", "--ttl", "1s", status=2).out == ""
    assert nodes[0].ctl("token", "create", "--function", "a b", status=2).out == ""
    assert nodes[0].post("/api/v1/tokens", {"ttl": 5})[0] == 400


def test_revoked_token(nodes):
    """Listed without its secret, told of in the status, of no use once it is revoked."""
    token = nodes[0].json("token", "token", "create", "--open", "--function", "web-*")
    listed = {t["id"]: t for t in nodes[0].json("tokens", "token", "ls")["tokens"]}
    assert listed[token["id"]]["state"] == "open" and listed[token["id"]]["functions"] == ["web-*"]
    assert token["token"] not in nodes[0].ctl("token", "ls", "-o", "json").out
    assert f"agentctl token revoke {token['id']}" in nodes[0].ctl("status", status=0).out
    assert nodes[0].json("token-revoked", "token", "revoke", token["id"])["revoked"] == token["id"]
    assert token["id"] not in nodes[0].ctl("status", status=0).out
    listed = {t["id"]: t["state"] for t in nodes[0].json("tokens", "token", "ls")["tokens"]}
    assert listed[token["id"]] == "revoked" and "used" in listed.values()
    assert nodes[0].ctl("token", "revoke", "0" * 16, status=4).out == ""
    assert nodes[0].ctl("token", "revoke", "redis", status=2).out == ""


def test_bad_registrations(nodes):
    good = {"name": "a", "port": 1, "address": "10.0.1.1"}
    for change, status in (({"prot": 1}, 400), ({"name": "-"}, 400), ({"port": 0}, 400),
                           ({"address": "10.0.9.1"}, 422), ({"address": "x"}, 400)):
        answer = nodes[0].post("/api/v1/services", {**good, **change})
        assert answer[0] == status, answer
        check(answer[1], "error")
    outside = nodes[0].ctl("service", "register", "a", "--port", "1", "--address", "10.0.9.1", status=2)
    assert "10.0.1.0/24" in outside.err and "10.0.9.1" in outside.err
    missing = nodes[0].ctl("service", "show", "nothing", status=4)
    assert "there is no function nothing" in missing.err
    nodes[0].ctl("service", "deregister", "nothing", status=4)
    nodes[0].ctl("resolve", "nothing", status=4)
    check(json.loads(nodes[0].curl("/api/v1/none")[1]), "error")


def test_no_data_plane(nodes):
    for command in (("flow", "ls"), ("flow", "diff"), ("port", "ls")):
        assert "reconcile: false" in nodes[0].ctl(*command, status=1).err
    assert nodes[0].curl("/api/v1/flows")[0] == 503


def test_metrics(nodes):
    status, text = nodes[0].curl("/metrics")
    assert status == 200
    names = set()
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            name = line.split()[2]
            assert name.startswith("socketnet_") and name not in names, line
            names.add(name)
        elif not line.startswith("#"):
            assert re.fullmatch(r'socketnet_\w+(\{\w+="[\w.-]+"\})? [0-9.]+', line), line
            assert re.match(r"\w+", line).group() in names, line
    assert 'socketnet_members{state="alive"} 2' in text
    assert 'socketnet_datagrams_dropped_total{reason="tag"} 0' in text


def test_writes_need_rights(nodes):
    """Whoever is neither root, the agent's user nor in the group may not."""
    stat = os.stat(nodes[0].socket)
    assert stat.st_mode & 0o777 == 0o660
    program = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
               "s.sendall(b'POST /api/v1/leave HTTP/1.0\\r\\n\\r\\n'); print(s.recv(4096).decode())")

    def ask(uid, gid):
        return subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups",
                               "/usr/bin/python3", "-c", program, nodes[0].socket], capture_output=True,
                              text=True, timeout=30, check=False)

    assert "PermissionError" in ask(12345, 12345).stderr
    denied = subprocess.run(["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", nodes[0].ctl_path,
                             "--addr", f"unix:{nodes[0].socket}", "members"], capture_output=True, text=True,
                            timeout=30, check=False)
    assert denied.returncode == 5, denied
    assert "(Permission denied): you are 12345 (uid 12345), " in denied.stderr, denied
    assert "use sudo" in denied.stderr, denied
    # Even through a socket that somebody opened to all.
    os.chmod(nodes[0].socket, 0o666)
    try:
        done = ask(12345, 12345)
        assert "403 Forbidden" in done.stdout, done
    finally:
        os.chmod(nodes[0].socket, 0o660)
    assert "uid=12345" in nodes[0].log()


def test_second_agent_is_refused(nodes):
    done = subprocess.run(["nsenter", f"--net=/run/netns/{NAMESPACE}", AGENT, "run", "--config", nodes[0].config],
                          capture_output=True, text=True, timeout=30, env=ENVIRONMENT, check=False)
    assert done.returncode != 0
    assert nodes[0].json("status", "status")["healthy"]


def test_bodies_that_are_none(nodes):
    """What is wrong with a body, in words."""
    for body, what, where, following in (
            ('{"name":"a","port":1,"port":2}', 'the key "port" stands there twice', "the body, line 1 column ",
             "leave one of the two out"),
            ('{"check":{"a \\"b":1,"a \\"b":2}}', 'the key "a \\"b" stands there twice', "the body, line 1 column ",
             "leave one of the two out"),
            ('[1]', "the body is not a JSON object", "the body", "give an object"),
            ('{"name":', "the body is not a JSON object", "the body, line 1 column ", "give an object")):
        status, answer = nodes[0].post("/api/v1/services", body)
        error = check(answer, "error")["error"]
        assert status == 400 and error["what"] == what, answer
        assert error["where"].startswith(where) and error["next"].startswith(following), answer


def test_garbage(nodes):
    """Whatever comes in, the agent answers the next one."""
    for junk in (b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n", b"POST /api/v1/services HTTP/1.1\r\n"
                 b"Content-Length: 99999999\r\n\r\n", b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n",
                 os.urandom(5000)):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(nodes[0].socket)
            client.settimeout(15)
            try:
                client.sendall(junk)
                client.recv(4096)
            except OSError:
                pass  # it may have closed before it took all
    assert nodes[0].json("status", "status")["healthy"]


def test_leave(nodes):
    nodes[1].agent("leave", "--yes")
    assert nodes[1].process.wait(20) == 0
    nodes[1].process = None
    Lab.until(lambda: nodes[0].json("status", "status")["members"]["left"] == 1)
    done = nodes[1].ctl("members", status=3)
    assert "is it running? start it with: agent run" in done.err
