"""Counts DNS questions on the wire: what leaves a pod, and what stays in it because it is redirected to the sidecar.

`DNSPackets(pod)` starts this very file in the pod's network namespace, where it listens to all its interfaces.
"""

import dataclasses
import socket
import struct
import subprocess
import sys

LOCAL_PORT = 15053


@dataclasses.dataclass(frozen=True)
class Question:
    interface: str
    port: int
    name: str
    type: int

    @property
    def left_the_pod(self):
        return self.interface != "lo"

    def __str__(self):
        kind = {1: "A", 28: "AAAA"}.get(self.type, str(self.type))
        return f"{self.name} {kind} {'out' if self.left_the_pod else 'to the sidecar'}"


class DNSPackets:
    """With `with`: the questions that pass while its body runs are in `questions` afterwards."""

    def __init__(self, pod):
        self.pod = pod
        self.questions = []

    def __enter__(self):
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        found = [line.split()[0] for line in listed.splitlines() if self.pod in line.split()[0]]
        if len(found) != 1:
            raise RuntimeError(f"expected one network namespace of {self.pod}, found {found} in\n{listed}")
        self.listener = subprocess.Popen(
            ["ip", "netns", "exec", found[0], sys.executable, __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        if self.listener.stdout.readline() != "ready\n":
            raise RuntimeError("the listener did not start")
        return self

    def __exit__(self, *_):
        # A packet is seen when it is sent: all of them are there already.
        text, _ = self.listener.communicate("", timeout=20)
        for line in text.splitlines():
            interface, port, kind, name = line.split(" ", 3)
            self.questions.append(Question(interface, int(port), name, int(kind)))

    def about(self, name):
        """Questions whose name begins with this one."""
        return [question for question in self.questions if question.name.lower().startswith(name.lower())]


def question(interface, frame):
    """The first question in a packet to a DNS port, or None."""
    version = frame[0] >> 4 if frame else 0
    if version == 4 and len(frame) > 28 and frame[9] == socket.IPPROTO_UDP:
        datagram = frame[(frame[0] & 15) * 4:]
    elif version == 6 and len(frame) > 48 and frame[6] == socket.IPPROTO_UDP:
        datagram = frame[40:]
    else:
        return None
    port = struct.unpack("!H", datagram[2:4])[0]
    message = datagram[8:]
    # An answer has the highest bit of the third byte.
    if port not in (53, LOCAL_PORT) or len(message) < 17 or message[2] & 0x80:
        return None
    labels, at = [], 12
    while at < len(message) and message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    return f"{interface} {port} {struct.unpack('!H', message[at + 1:at + 3])[0]} {'.'.join(labels)}."


def listen():
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.ntohs(3))  # all protocols
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    print("ready", flush=True)
    sys.stdin.read()
    wire.setblocking(False)
    while True:
        try:
            frame, (interface, _, direction, _, _) = wire.recvfrom(65536)
        except BlockingIOError:
            return
        # Sent by this namespace: on loopback each packet comes by twice.
        line = question(interface, frame) if direction == socket.PACKET_OUTGOING else None
        if line:
            print(line)


if __name__ == "__main__":
    listen()
