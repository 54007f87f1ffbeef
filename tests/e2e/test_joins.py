"""Thirty hosts behind one address join at once, at the issuer itself and by
way of another node: all are admitted, and who waits is told so."""
import re

HOSTS = 3
JOINS = 30

SCRIPT = r"""
set -u
dir=$1 peer=$2 first=$3
mkdir -p "$dir"
n=0
while read -r token; do
    number=$((first + n))
    cat >"$dir/$n.yaml" <<CONFIG
name: host$number
state_dir: $dir/$n
run_dir: $dir/$n-run
mesh:
  address: 100.104.70.$number
subnets: [10.0.$number.0/24]
CONFIG
    agent join "$peer" --token "$token" --config "$dir/$n.yaml" >"$dir/$n.out" 2>&1 &
    pids[$n]=$!
    n=$((n + 1))
done <"$dir.tokens"
for ((i = 0; i < n; i++)); do
    wait "${pids[$i]}"
    echo "join $i: status $?"
    cat "$dir/$i.out"
done
rm -rf "$dir"
"""


def joins_at_once(lab, peer, first):
    """All from host3; what they printed."""
    tokens = "".join(lab.ctl("host1", "token", "create", "--open").out.strip() + "\n" for _ in range(JOINS))
    place = f"/run/joins-{first}"
    lab.sh("host3", "bash", "-c", f"cat >{place}.tokens <<'T'\n{tokens}T\ncat >{place}.sh <<'S'\n{SCRIPT}\nS")
    result = lab.sh("host3", "bash", f"{place}.sh", place, peer, str(first), timeout=300)
    return result.out + result.err


def all_are_admitted(text):
    statuses = re.findall(r"^join \d+: status (\d+)$", text, re.M)
    assert statuses == ["0"] * JOINS, text
    assert "does not answer as an agent" not in text


def test_thirty_joins_at_the_issuer(lab):
    all_are_admitted(joins_at_once(lab, "100.104.70.1", 101))


def test_thirty_joins_through_another_node(lab):
    all_are_admitted(joins_at_once(lab, "100.104.70.2", 141))
    names = [member["name"] for member in lab.json("host1", "members")["members"]]
    assert {f"host{141 + i}" for i in range(JOINS)} <= set(names)
