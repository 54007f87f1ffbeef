"""What a function's clients see, judged by their traffic."""
HOSTS = 2


def who(lab, place, n):
    found = [lab.redis(place, "redis.mesh.internal", "get", "whoami").out.strip() for _ in range(n)]
    return {name: found.count(name) for name in set(found)}


def serve(lab, *hosts):
    """Redis on these hosts and no other."""
    for host in ("host1", "host2"):
        address = lab.start_redis(host, 203)
        if host in hosts:
            lab.register(host, "redis", 6379, address, "--port-name", "veth203")
        else:
            lab.deregister(host, "redis", check=False)
    lab.until(lambda: set(who(lab, "host1/redis", 10 * len(hosts))) == set(hosts), 30, hosts)


def test_container_calls_itself(lab):
    serve(lab, "host1")
    assert who(lab, "host1/redis", 20) == {"host1": 20}
    value = "x" * (1 << 20)
    lab.sh("host1/redis", "sh", "-c", "head -c 1048576 /dev/zero | tr '\\0' x | "
           "redis-cli -h redis.mesh.internal -x set big")
    assert lab.redis("host1/redis", "redis.mesh.internal", "get", "big", seconds=20).out == value + "\n"


def test_container_calls_itself_among_others(lab):
    serve(lab, "host1", "host2")
    found = who(lab, "host1/redis", 40)
    assert set(found) == {"host1", "host2"} and sum(found.values()) == 40, found
    # One group, which holds itself.
    groups = [line for line in lab.groups("host1").splitlines() if "10.0.1.203" in line]
    assert len(groups) == 1 and "10.0.2.203" in groups[0], groups


def test_host_dials_the_function(lab):
    """A process of a host has the function's address, too, and keeps it while
    instances come and go."""
    serve(lab, "host1", "host2")
    function = lab.json("host1", "service", "show", "redis")["service"]["address"]
    for host in ("host1", "host2"):
        assert lab.sh(host, "dig", "@127.0.0.1", "+short", "redis.mesh.internal").out == function + "\n"
        assert set(who(lab, host, 40)) == {"host1", "host2"}
    asking = lab.popen("host1", "bash", "-c", """for _ in $(seq 300); do
        timeout 3 redis-cli -h "$1" ping 2>&1 || echo failed
    done""", "loop", function, stdout=-1, text=True)
    while asking.poll() is None:
        lab.deregister("host2", "redis")
        lab.register("host2", "redis", 6379, "10.0.2.203", "--port-name", "veth203")
    assert asking.stdout.read().split() == ["PONG"] * 300


def test_host_calls_its_own_process(lab):
    """A function of a host process: called by the host itself, by its container
    and by the other host."""
    server = lab.popen("host1", "redis-server", "--bind", "100.104.70.1", "--port", "7379", "--save", "",
                       "--protected-mode", "no", "--dir", "/tmp")
    try:
        lab.register("host1", "hosted", 7379, "100.104.70.1")
        for place in ("host1", "host1/redis", "host2", "host2/redis"):
            lab.until(lambda place=place: lab.sh(
                place, "timeout", "3", "redis-cli", "-h", "hosted.mesh.internal", "-p", "7379", "ping",
                check=False).out == "PONG\n", 20, place)
    finally:
        lab.deregister("host1", "hosted", check=False)
        server.terminate()
        server.wait(10)


def test_a_lower_priority_stands_by(lab):
    serve(lab, "host1", "host2")
    lab.register("host2", "redis", 6379, "10.0.2.203", "--port-name", "veth203", "--priority", "5")
    lab.until(lambda: set(who(lab, "host1/redis", 10)) == {"host1"}, 20)
    assert set(who(lab, "host2/redis", 20)) == {"host1"}
    lab.deregister("host1", "redis")
    lab.until(lambda: set(who(lab, "host1/redis", 10)) == {"host2"}, 20)
    lab.register("host1", "redis", 6379, "10.0.1.203", "--port-name", "veth203")
    lab.until(lambda: set(who(lab, "host2/redis", 10)) == {"host1"}, 20)


ASK_UDP = """
import socket, sys
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(10)
asking.connect((sys.argv[1], 5353))
asking.send(b"anybody there?")
try:
    asking.recv(100)
except ConnectionRefusedError:
    print("refused")
"""


def test_nobody_there_is_said(lab):
    """No backend, another port, an address without a function: refused, not
    silence."""
    serve(lab, "host2")
    service = lab.json("host1", "service", "show", "redis")["service"]["address"]
    for place in ("host1/redis", "host1"):
        assert lab.sh(place, "ping", "-c1", "-W5", service).status == 0
        for address in (service, "100.95.255.254"):
            refused = lab.sh(place, "timeout", "10", "redis-cli", "-h", address, "-p", "6380", "ping", check=False)
            assert "refused" in refused.err, (place, address, refused)
            assert lab.sh(place, "python3", "-c", ASK_UDP, address).out == "refused\n"
        assert lab.sh(place, "ping", "-c1", "-W1", "100.95.255.254", check=False).status == 1
    lab.deregister("host2", "redis")
    lab.until(lambda: "refused" in lab.redis("host1/redis", service, "ping", seconds=10).err)


def test_open_connection_to_a_dead_host_is_reset(lab):
    """The client's next segment is answered at home."""
    serve(lab, "host2")
    service = lab.json("host1", "service", "show", "redis")["service"]["address"]
    client = lab.popen("host1/redis", "timeout", "120", "redis-cli", "-h", service, stdin=-1, stdout=-1, stderr=-2,
                       text=True, bufsize=1)
    client.stdin.write("get whoami\n")
    client.stdin.flush()
    assert client.stdout.readline() == "host2\n"
    lab("kill", "host2")
    try:
        lab.until(lambda: lab.states("host1").get("host2") == "dead", 60)
        lab.until(lambda: "10.0.2.203" not in lab.groups("host1"))
        client.stdin.write("get whoami\n")
        client.stdin.flush()
        said = client.stdout.readline()
        assert "reset by peer" in said or "closed the connection" in said, said
    finally:
        client.kill()
        client.wait(10)
        lab("revive", "host2")
        lab.all_alive(["host1", "host2"], 60)


def retransmitted(lab, place):
    lines = [line.split() for line in lab.sh(place, "cat", "/proc/net/snmp").out.splitlines() if line.startswith("Tcp:")]
    return int(dict(zip(*lines))["RetransSegs"])


FIRST = """
name=$1
for _ in $(seq 500); do
    address=$(getent ahostsv4 "$name.mesh.internal" | awk '{print $1; exit}')
    [ -z "$address" ] || break
done
timeout 10 redis-cli -h "$address" ping
"""


def test_first_connection_after_a_registration(lab):
    """Not one SYN is lost on functions that have just got their instance, local
    or remote."""
    serve(lab, "host1", "host2")
    lab.container("host1", "client", 101)
    before = retransmitted(lab, "host1/client")
    for n in range(30):
        client = lab.popen("host1/client", "bash", "-c", FIRST, "first", f"new{n}", stdout=-1, text=True)
        host = f"host{1 + n % 2}"
        lab.register(host, f"new{n}", 6379, f"10.0.{host[4:]}.203", "--port-name", "veth203")
        out, _ = client.communicate(timeout=60)
        assert out == "PONG\n", (n, out)
    assert retransmitted(lab, "host1/client") == before


def test_a_flow_in_the_way_is_told(lab):
    """A foreign flow above ours stays, and the host is not called healthy."""
    serve(lab, "host1", "host2")
    flow = "priority=65535,tcp,tp_dst=6379"
    assert lab.ctl("host1", "status").status == 0
    lab.sh("host1", "ovs-ofctl", "-O", "OpenFlow15", "add-flow", "socket", flow + ",actions=drop")
    try:
        lab.until(lambda: lab.ctl("host1", "status", check=False).status == 1)
        said = lab.ctl("host1", "status", check=False).out
        assert "flows-blocked" in said and flow in said and "takes what is for" in said, said
        assert "refused" not in lab.redis("host1/redis", "redis.mesh.internal", "ping", seconds=1).out
    finally:
        lab.sh("host1", "ovs-ofctl", "-O", "OpenFlow15", "--strict", "del-flows", "socket", flow)
    lab.until(lambda: lab.ctl("host1", "status", check=False).status == 0)


def test_containers_with_a_larger_mtu(lab):
    """Containers at 1500: what does not fit into the tunnel is said, to both
    ends, by the function's address and by the instance's."""
    serve(lab, "host2")
    lab.container("host1", "client", 101)
    for place in ("host1/client", "host2/redis"):
        lab.sh(place, "ip", "link", "set", "eth0", "mtu", "1500")
    try:
        for address in ("redis.mesh.internal", "10.0.2.203"):
            lab.sh("host1/client", "ip", "route", "flush", "cache")
            done = lab.sh("host1/client", "sh", "-c", "head -c 1048576 /dev/zero | tr '\\0' x | "
                          f"timeout 20 redis-cli -h {address} -x set big").out
            assert done == "OK\n"
            assert lab.redis("host1/client", address, "strlen", "big", seconds=5).out == "1048576\n"
            assert len(lab.redis("host1/client", address, "get", "big", seconds=20).out) == 1048577
            shown = lab.sh("host1/client", "ip", "route", "get",
                           "10.0.2.203" if address[0] == "1" else lab.json("host1", "service", "show", "redis")
                           ["service"]["address"]).out
            assert "mtu 1370" in shown, shown
    finally:
        for place in ("host1/client", "host2/redis"):
            lab.sh(place, "ip", "link", "set", "eth0", "mtu", "1370")


def test_container_with_another_mac(lab):
    """It says nothing itself, as one whose interface was made anew: it is asked,
    and found under its new one; so is one that moved to another port."""
    address = lab.container("host2", "mover", 150)
    lab.container("host1", "client", 101)

    def answers():
        return lab.sh("host1/client", "ping", "-c1", "-W1", address, check=False).status == 0

    lab.until(answers)
    lab.sh("host2/mover", "sh", "-c", "ip link set eth0 down && ip link set eth0 address 02:00:00:00:77:01 && "
           "ip link set eth0 up && ip route replace default via 10.0.2.1")
    assert not answers()
    lab.until(answers, 60)
    # The same address behind another port; the old one is mute.
    lab("container", "host2", "other", 151)
    lab.sh("host2/mover", "ip", "address", "del", address + "/24", "dev", "eth0")
    lab.sh("host2/other", "ip", "address", "add", address + "/24", "dev", "eth0")
    lab.until(answers, 90)
