"""The user that core runs as: made by `agent init` when it is not there, one
of its own in any case."""

HOSTS = 1

# A copy of /etc, without the user, that only this command's mounts have.
WITHOUT_USER = """
set -e
rm -rf /run/etc /run/state
cp -a /etc /run/etc
cat /etc/passwd >/run/etc/passwd.new; cat /etc/group >/run/etc/group.new
for name in passwd group shadow gshadow; do
    from=/run/etc/$name
    [ ! -e /run/etc/$name.new ] || from=/run/etc/$name.new
    [ ! -e $from ] || { grep -v '^socketnet:' $from >/run/etc/tmp; rm -f $from; mv /run/etc/tmp /run/etc/$name; }
done
umount /etc/passwd /etc/group /etc/resolv.conf
mount --bind /run/etc /etc
cat >/run/user.yaml <<'CONFIG'
name: other
state_dir: /run/state
run_dir: /run/other
mesh: {address: 100.104.70.1, port: 7799}
CONFIG
"""


def without_user(lab, script):
    return lab.sh("host1", "unshare", "-m", "bash", "-c", WITHOUT_USER + script, check=False)


def test_hosts_run_core_as_it(lab):
    core = lab.agent_pids("host1")[1]
    with open(f"/proc/{core}/status", encoding="ascii") as status:
        uid = [line.split()[1] for line in status if line.startswith("Uid:")][0]
    assert lab.sh("host1", "id", "-un", uid).out == "socketnet\n"
    assert lab.sh("host1", "stat", "-c", "%U %a", "/var/lib/socketnet/node.key").out == "socketnet 600\n"


def test_init_makes_it(lab):
    result = without_user(lab, """
        ! id socketnet 2>/dev/null
        agent init --config /run/user.yaml >/dev/null
        id -un socketnet
        stat -c '%U %a' /run/state/node.key
        grep '^socketnet:' /etc/passwd""")
    assert result.status == 0, result
    lines = result.out.splitlines()
    assert lines[:2] == ["socketnet", "socketnet 600"] and "nologin" in lines[2], result
    # Only in the copy.
    assert lab.sh("host1", "stat", "-c", "%U", "/var/lib/socketnet/node.key").out == "socketnet\n"


def test_init_says_what_to_run_when_it_cannot(lab):
    result = without_user(lab, """
        for tool in /usr/sbin/useradd /usr/bin/systemd-sysusers /bin/systemd-sysusers; do
            [ ! -e $tool ] || mount --bind /dev/null $tool
        done
        agent init --config /run/user.yaml""")
    assert result.status == 1, result
    assert "there is no user socketnet" in result.err and "`useradd --system --user-group" in result.err, result


def test_nobody_is_refused(lab):
    result = without_user(lab, """
        echo 'user: nobody' >>/run/user.yaml
        agent init --config /run/user.yaml""")
    assert result.status == 2, result
    assert "/run/user.yaml:5: user: \"nobody\" is refused: other programs" in result.err, result
