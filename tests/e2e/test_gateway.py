"""What a container sees of its gateway."""
HOSTS = 2

# Asks who has an address, and prints every MAC that answers within a second.
ASK = """
import socket, sys, time
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
link.bind(("eth0", 0x0806))
mac = link.getsockname()[4]
own, asked = (socket.inet_aton(address) for address in sys.argv[1:3])
link.send(b"\\xff" * 6 + mac + b"\\x08\\x06\\x00\\x01\\x08\\x00\\x06\\x04\\x00\\x01"
          + mac + own + bytes(6) + asked)
end = time.monotonic() + 1
while (left := end - time.monotonic()) > 0:
    link.settimeout(left)
    try:
        frame = link.recv(2048)
    except TimeoutError:
        break
    if frame[20:22] == b"\\x00\\x02" and frame[28:32] == asked:
        print(frame[22:28].hex(":"))
"""


def test_one_answer_per_question(lab):
    """The host's own stack listens on the veth as well, and must keep quiet."""
    lab.container("host1", "client", 101)
    result = lab.sh("host1/client", "ping", "-c3", "-i0.2", "-W2", "10.0.1.1")
    assert " 3 received" in result.out and "DUP" not in result.out and "duplicates" not in result.out
    answers = lab.sh("host1/client", "/usr/bin/python3", "-c", ASK, "10.0.1.101", "10.0.1.1").out
    assert answers == "0a:00:00:00:01:01\n"


def test_another_host_by_the_gateway(lab):
    lab.container("host1", "client", 101)
    lab.container("host2", "server", 102)
    lab.until(lambda: lab.sh("host1/client", "ping", "-c1", "-W1", "10.0.2.102", check=False).status == 0)
    result = lab.sh("host1/client", "ping", "-c5", "-i0.2", "-W2", "10.0.2.102")
    assert " 5 received" in result.out and "DUP" not in result.out and "duplicates" not in result.out
