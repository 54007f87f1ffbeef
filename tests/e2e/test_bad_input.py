"""Bad input gets an error that says what, why and what to do, and loses
nothing."""
import base64
import os
import time

import msgpack

HOSTS = 2


def texts(result):
    return result.out + result.err


def third_host_joins(lab, token, *more, number=9):
    """`agent join` of host9 with a state directory of its own, from host2."""
    config = "/run/third.yaml"
    lab.sh("host2", "bash", "-c", f"""cat >{config} <<'CONFIG'
name: host{number}
state_dir: /run/third
run_dir: /run/third-run
mesh:
  address: 100.104.70.{number}
subnets: [10.0.{number}.0/24]
CONFIG
rm -rf /run/third""")
    return lab.sh("host2", "agent", "join", "100.104.70.1", "--token", token, "--config", config, *more, check=False)


def new_token(lab, *more):
    return lab.ctl("host1", "token", "create", *(more or ("--open",))).out.strip()


def fields_of(token):
    data = token.split(".", 1)[1]
    return msgpack.unpackb(base64.urlsafe_b64decode(data + "=" * (-len(data) % 4)), strict_map_key=False)


def change_token(token, key, value):
    body = fields_of(token)
    body[key] = value
    return "snt2." + base64.urlsafe_b64encode(msgpack.packb(body)).decode().rstrip("=")


def state_left(lab):
    return lab.sh("host2", "bash", "-c", "ls /run/third 2>/dev/null || true").out.split()


def test_wrong_token(lab):
    token = change_token(new_token(lab), 5, os.urandom(16))
    result = third_host_joins(lab, token)
    assert result.status == 1 and "token" in texts(result)
    garbage = third_host_joins(lab, "snt2.garbage")
    assert garbage.status in (1, 2) and "token" in texts(garbage)
    assert "certificate" not in state_left(lab)


def test_unknown_cluster(lab):
    token = change_token(new_token(lab), 1, os.urandom(32))
    result = third_host_joins(lab, token)
    assert result.status == 1 and "cluster" in texts(result)
    assert "certificate" not in state_left(lab)


def test_expired_token(lab):
    token = new_token(lab, "--ttl", "10s")  # the shortest there is
    expires_s = fields_of(token)[6]
    assert expires_s - time.time() <= 10
    lab.until(lambda: time.time() >= expires_s, what="the token's last second")
    result = third_host_joins(lab, token)
    assert result.status == 1 and "expired" in texts(result)


def test_token_of_another_host(lab):
    """A token says who its holder will be, and the charter what anybody can."""
    token = new_token(lab, "--name", "host9", "--mesh-address", "100.104.70.9", "--subnet", "10.0.9.0/24")
    assert fields_of(token)[9] == "host9"
    result = third_host_joins(lab, token, number=7)
    assert result.status == 1 and 'is for a node named "host9"' in texts(result)
    assert "certificate" not in state_left(lab)
    refused = lab.ctl("host1", "token", "create", "--subnet", "8.8.8.0/24", check=False)
    assert refused.status != 0 and "outside the container ranges of the cluster's charter" in texts(refused)


def test_used_token(lab):
    token = new_token(lab)
    assert third_host_joins(lab, token, number=8).status == 0
    result = third_host_joins(lab, token, number=8)
    assert result.status == 1 and "used" in texts(result)
    # Nobody runs as host8: it is certified, and never alive.
    assert lab.states("host1")["host8"] in ("unknown", "dead")


def test_name_and_subnet_taken(lab):
    assert third_host_joins(lab, new_token(lab)).status == 0
    result = third_host_joins(lab, new_token(lab))
    assert result.status == 1 and "host9" in texts(result)


def test_token_from_a_node_that_is_no_issuer(lab):
    result = lab.ctl("host2", "token", "create", check=False)
    assert result.status != 0 and "host1" in texts(result)


def test_port_taken(lab):
    result = lab.sh("host2", "timeout", "10", "agent", "run", check=False)
    assert result.status not in (0, 124)
    assert "100.104.70.2:7720" in texts(result) or "runs" in texts(result)


def test_address_outside_the_subnets(lab):
    result = lab.register("host1", "redis", 6379, "10.0.2.9", "--port-name", "veth9", check=False)
    assert result.status != 0
    assert "10.0.2.9" in texts(result) and "10.0.1.0/24" in texts(result)
    assert lab.json("host1", "service", "ls")["services"] == []


def test_address_of_no_host(lab):
    for address, text in (("10.0.1.0", "the address of the network 10.0.1.0/24"),
                          ("10.0.1.255", "the broadcast address of 10.0.1.0/24")):
        result = lab.register("host1", "redis", 6379, address, check=False)
        assert result.status == 2 and text in texts(result), result


def test_impossible_arguments(lab):
    for arguments, word in ((("service", "register", "re dis", "--port", "1", "--address", "10.0.1.5"), "name"),
                            (("service", "register", "redis", "--port", "0", "--address", "10.0.1.5"), "port"),
                            (("service", "register", "redis", "--port", "1", "--address", "10.0.1"), "address"),
                            (("service", "regster", "redis"), "did you mean service register?"),
                            (("membrs",), "members"),
                            (("members", "--outptu", "json"), "--")):
        result = lab.ctl("host1", *arguments, check=False)
        assert result.status == 2, result
        assert word in texts(result), result


def test_unreachable_agent(lab):
    result = lab.sh("host1", "agentctl", "--addr", "unix:/run/nothing.sock", "members", check=False)
    assert result.status == 3 and "agent run" in texts(result)


def test_unknown_things_are_not_found(lab):
    assert lab.ctl("host1", "service", "show", "nothing", check=False).status == 4
    assert lab.ctl("host1", "resolve", "nothing", check=False).status == 4
    assert lab.deregister("host1", "nothing", check=False).status == 4


def test_port_name_that_does_not_exist_yet(lab):
    result = lab.register("host1", "early", 80, "10.0.1.60", "--port-name", "veth60", check=False)
    assert result.status == 6 and result.out == "", result
    assert "early/veth60 is registered on disk; this node's data plane follows by itself: pending: no port veth60" \
        in result.err, result
    [instance] = lab.json("host1", "service", "show", "early")["service"]["instances"]
    assert (instance["state"], instance["usable"]) == ("pending", False), instance
    lab.until(lambda: "no port veth60 on socket" in texts(lab.ctl("host1", "status", check=False)))
    lab("container", "host1", "early", 60)
    lab.until(lambda: "veth60" not in texts(lab.ctl("host1", "status", check=False)))
    lab("container", "host2", "client", 101)
    lab.popen("host1/early", "timeout", "60", "nc", "-lk", "-p", "80", "-e", "/bin/echo", "hello",
              stdin=-3, stdout=-3, stderr=-3)
    lab.deregister("host1", "early")


def test_configuration_errors_name_file_and_line(lab):
    for text, words in (("name: x\nbrige:\n  name: socket\n", ("bad.yaml:2", "brige", "bridge")),
                        ("name: x\nsubnets: [10.0.1.5/24]\n", ("bad.yaml:2", "10.0.1.5/24")),
                        ("name: [x]\n", ("bad.yaml:1", "name"))):
        with open(lab.path("host1", "etc", "bad.yaml"), "w", encoding="ascii") as file:
            file.write(text)
        result = lab.sh("host1", "agent", "run", "--config", "/etc/socketnet/bad.yaml", check=False)
        assert result.status != 0
        for word in words:
            assert word in texts(result), result


def test_services_file(lab):
    path = lab.path("host1", "etc", "services.d", "web.yaml")
    with open(path, "w", encoding="ascii") as file:
        file.write("service:\n  name: web\n  port: 80\n  address: 10.0.1.70\n  port_name: veth70\n")
    lab.until(lambda: any(s["name"] == "web" for s in lab.json("host2", "service", "ls")["services"]))
    with open(path, "w", encoding="ascii") as file:
        file.write("service:\n  name: web\n  prot: 80\n")
    lab.until(lambda: "web.yaml:3" in texts(lab.ctl("host1", "status", check=False)) or "web.yaml:3" in lab.log("host1"))
    os.unlink(path)
    lab.until(lambda: all(s["name"] != "web" for s in lab.json("host2", "service", "ls")["services"]))
