"""A proxy's side of the Mixer protocol (istio.mixer.v1), and servers that policy adapters send to."""

import json
import queue
import re
import socket
import struct
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from journey import ROOT, eventually, run

CONTROL = str(ROOT / "bin" / "lateen-control")


# The bytes of protobuf, as much as is needed.

def varint(number):
    number &= (1 << 64) - 1
    result = b""
    while number > 0x7F:
        result += bytes([number & 0x7F | 0x80])
        number >>= 7
    return result + bytes([number])


def zigzag(number):
    return varint(number << 1 ^ number >> 63)


def field(number, value):
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def fields(data):
    """All fields by number, each a list of numbers and bytes."""
    result, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        else:
            assert key & 7 == 2, f"wire type {key & 7}"
            size = number()
            value, at = data[at:at + size], at + size
        result.setdefault(key >> 3, []).append(value)
    return result


def attributes(values):
    """CompressedAttributes with all words in the message itself: texts, numbers, addresses, maps."""
    words, parts = [], b""

    def word(text):
        if text not in words:
            words.append(text)
        return -1 - words.index(text)

    def entry(number, name, value):
        return field(number, varint(1 << 3) + zigzag(word(name)) + value)

    for name, value in values.items():
        if isinstance(value, str):
            parts += entry(2, name, varint(2 << 3) + zigzag(word(value)))
        elif isinstance(value, bool):
            parts += entry(5, name, field(2, int(value)))
        elif isinstance(value, int):
            parts += entry(3, name, field(2, value))
        elif isinstance(value, float):
            moment = field(1, int(value)) + field(2, int(value % 1 * 1e9))
            parts += entry(6, name, field(2, moment))
        elif isinstance(value, bytes):
            parts += entry(8, name, field(2, value))
        else:
            texts = b"".join(field(1, varint(1 << 3) + zigzag(word(key)) + varint(2 << 3) + zigzag(word(text)))
                             for key, text in value.items())
            parts += entry(9, name, field(2, texts))
    return b"".join(field(1, text) for text in words) + parts


class Answer:
    """A CheckResponse."""

    def __init__(self, data):
        precondition = fields(fields(data).get(2, [b""])[0])
        status = fields(precondition.get(1, [b""])[0])
        self.code = status.get(1, [0])[0]
        self.message = status.get(2, [b""])[0].decode()
        directive = fields(precondition.get(6, [b""])[0])
        self.response = (directive.get(3, [0])[0], directive.get(4, [b""])[0].decode())
        operations = [fields(operation) for operation in directive.get(1, [])]
        self.headers = {operation[1][0].decode(): operation.get(2, [b""])[0].decode() for operation in operations}
        self.quotas, self.quota_codes = {}, {}
        for entry in fields(data).get(3, []):
            parts = fields(entry)
            result = fields(parts.get(2, [b""])[0])
            name = parts[1][0].decode()
            self.quotas[name] = result.get(2, [0])[0]
            self.quota_codes[name] = fields(result.get(6, [b""])[0]).get(1, [0])[0]


class Mixer:
    """`lateen-control mixer` on free ports of this machine."""

    def __init__(self, folder, errors, *flags):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.monitoring = free.getsockname()[1]
        self.errors = errors
        self.process = subprocess.Popen(
            [CONTROL, "mixer", "--config", str(folder), "--host", "127.0.0.1", "--port", "0",
             "--monitoring-port", str(self.monitoring), *flags],
            stdout=subprocess.DEVNULL, stderr=open(errors, "w"))
        found = eventually("the policy engine serves", lambda: re.search(
            r"address=127\.0\.0\.1:(\d+)", errors.read_text()), seconds=20)
        import grpc
        self.port = int(found[1])
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self._check = self.channel.unary_unary("/istio.mixer.v1.Mixer/Check")
        self._report = self.channel.unary_unary("/istio.mixer.v1.Mixer/Report")

    def check(self, values, quotas=None, attempt=""):
        """`quotas`: from names to amounts, or to pairs (amount, True) if a part of it will do."""
        request = field(1, attributes(values)) + field(2, 222)
        if attempt:
            request += field(3, attempt)
        for name, amount in (quotas or {}).items():
            amount, best_effort = amount if isinstance(amount, tuple) else (amount, False)
            request += field(4, field(1, name) + field(2, field(1, amount) + field(2, int(best_effort))))
        return Answer(self._check(request, timeout=10))

    def report(self, *entries):
        request = b"".join(field(1, attributes(values)) for values in entries)
        self._report(request + field(3, 222) + field(4, 1), timeout=10)

    def get(self, path):
        return run(f"curl -sS -m 5 http://127.0.0.1:{self.monitoring}{path}").stdout

    def stop(self):
        self.channel.close()
        self.process.terminate()
        return self.process.wait(timeout=15)


class StatsdSink:
    """Keeps the lines that come by UDP."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.packets = []
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            self.packets.append(self.socket.recv(65535).decode())

    @property
    def lines(self):
        return [line for packet in list(self.packets) for line in packet.split("\n")]


def unpack(data, at=0):
    """One MessagePack value and where it ends; moments are pairs of seconds and nanoseconds."""
    kind = data[at]
    at += 1

    def take(form):
        nonlocal at
        value = struct.unpack_from(">" + form, data, at)[0]
        at += struct.calcsize(form)
        return value

    def several(count):
        nonlocal at
        values = []
        for _ in range(count):
            value, at = unpack(data, at)
            values.append(value)
        return values

    def text(size):
        nonlocal at
        if at + size > len(data):
            raise IndexError
        at += size
        return data[at - size:at].decode()

    if kind < 0x80:
        return kind, at
    if kind < 0x90:
        pairs = several(2 * (kind & 15))
        return dict(zip(pairs[::2], pairs[1::2])), at
    if kind < 0xA0:
        return several(kind & 15), at
    if kind < 0xC0:
        return text(kind & 31), at
    simple = {0xC2: False, 0xC3: True}
    if kind in simple:
        return simple[kind], at
    numbers = {0xCB: "d", 0xD3: "q"}
    if kind in numbers:
        return take(numbers[kind]), at
    sizes = {0xD9: "B", 0xDA: "H", 0xDB: "I"}
    if kind in sizes:
        return text(take(sizes[kind])), at
    if kind in (0xDC, 0xDD):
        return several(take("H" if kind == 0xDC else "I")), at
    if kind in (0xDE, 0xDF):
        pairs = several(2 * take("H" if kind == 0xDE else "I"))
        return dict(zip(pairs[::2], pairs[1::2])), at
    assert (kind, take("B")) == (0xD7, 0), f"a value of kind {kind:#x}"
    return (take("I"), take("I")), at


class FluentdSink:
    """Keeps the entries that come by the Forward protocol, and acknowledges them."""

    def __init__(self, port=0):
        self.server = socket.create_server(("127.0.0.1", port))
        self.port = self.server.getsockname()[1]
        self.entries = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        data = b""
        with client:
            while piece := client.recv(65536):
                data += piece
                try:
                    (tag, entries, option), end = unpack(data)
                except (IndexError, struct.error):
                    continue
                data = data[end:]
                assert option["size"] == len(entries)
                self.entries += [(tag, moment, record) for moment, record in entries]
                chunk = option["chunk"].encode()
                client.sendall(b"\x81\xa3ack" + bytes([0xA0 | len(chunk)]) + chunk)

    def stop(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


class PodServer:
    """The part of a Kubernetes API server that tells of pods."""

    def __init__(self, pods):
        self.pods = list(pods)
        self.watchers = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if not self.path.startswith("/api/v1/pods"):
                    return self.send_error(404)
                self.send_response(200)
                self.send_header("content-type", "application/json")
                if "watch=" not in self.path:
                    body = json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"},
                                       "items": outer.pods}).encode()
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                    return None
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                events = queue.Queue()
                outer.watchers.append(events)
                while True:
                    line = (json.dumps(events.get()) + "\n").encode()
                    self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                    self.wfile.flush()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, pod):
        self.pods.append(pod)
        eventually("somebody watches", lambda: self.watchers)
        for events in self.watchers:
            events.put({"type": "ADDED", "object": pod})

    def kubeconfig(self, path):
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "nobody"}}],
            "users": [{"name": "nobody", "user": {}}]}))
        return path


class Redis:
    """A real Redis on a free port, without files."""

    def __init__(self, folder, port=None):
        if port is None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        self.port = port
        self.process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", "",
             "--appendonly", "no"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually("Redis answers", lambda: run(
            ["redis-cli", "-p", str(port), "ping"], check=False).stdout == "PONG\n")

    def cli(self, *words):
        return run(["redis-cli", "-p", str(self.port), *words]).stdout

    def stop(self):
        self.process.kill()
        self.process.wait()
