"""Guests of the mesh that several journeys talk to: a server that says what it received, and clients beside no proxy."""

import json
import re
import textwrap

from journey import CheckFailed, eventually, exec_in, expect, kubectl, pod_of, run

# Says over HTTP what arrived (8080), and echoes lines over TCP (9000).
ECHO = textwrap.dedent('''\
    import http.server, json, os, socketserver, threading

    class Echo(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length).decode("latin-1")
            said = {"method": self.command, "path": self.path, "headers": {}, "peer": self.client_address[0],
                    "version": os.environ.get("VERSION", ""), "body": body}
            for name, value in self.headers.items():
                said["headers"].setdefault(name.lower(), []).append(value)
            data = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, *words): pass

    class Lines(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(b"echo " + line)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    threading.Thread(target=Server(("", 9000), Lines).serve_forever, daemon=True).start()
    http.server.ThreadingHTTPServer(("", 8080), Echo).serve_forever()
''')

ECHO_PORTS = [("http", 8080), ("tcp", 9000)]


def namespace(name, injected=True):
    labels = {"istio-injection": "enabled"} if injected else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def python_guest(name, space, source, ports, labels=None, volumes=None):
    """Service account, Service and Deployment of one pod that runs a Python program; `ports` are (name, number)."""
    labels = {"app": name, **(labels or {})}
    mounts = [{"name": key, "mountPath": path} for key, (path, _) in (volumes or {}).items()]
    container = {
        "name": name, "image": "lateen/python", "args": ["-c", source], "volumeMounts": mounts,
        "readinessProbe": {"tcpSocket": {"port": ports[0][1]}, "periodSeconds": 1},
    }
    pod = {
        "serviceAccountName": name, "containers": [container],
        # As process 1 of its container Python hears no SIGTERM; nobody shall wait half a minute for it.
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": key, **volume} for key, (_, volume) in (volumes or {}).items()],
    }
    about = {"name": name, "namespace": space}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about},
        {"apiVersion": "v1", "kind": "Service", "metadata": {**about, "labels": {"app": name}},
         "spec": {"selector": {"app": name}, "ports": [{"name": port, "port": number} for port, number in ports]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about,
         "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}},
                  "template": {"metadata": {"labels": labels}, "spec": pod}}},
    ]


def echo(space, name="echo"):
    return python_guest(name, space, ECHO, ECHO_PORTS)


def apply(*objects):
    """Apply objects in their order: YAML texts, or values to be written as JSON."""
    texts = [part if isinstance(part, str) else json.dumps(part) for part in objects]
    # Begins as YAML, or kubectl would take all for JSON.
    kubectl("apply -f -", input="".join(f"---\n{text}\n" for text in texts))


def ready(workload, space="default", seconds=60):
    kubectl(f"-n {space} rollout status {workload} --timeout={seconds}s", timeout=seconds + 5)


class Answer:
    """What curl got: the exit code, the status (0: none), the head as text, the body, and what curl itself said."""

    def __init__(self, done):
        self.code = done.returncode
        head, _, self.body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        self.head = head
        found = re.match(r"HTTP/[0-9.]+ (\d+)", head)
        self.status = int(found[1]) if found else 0
        self.complaint = done.stderr.strip()

    def header(self, name):
        return [value.strip() for value in re.findall(rf"^{name}:(.*)$", self.head, re.M | re.I)]

    @property
    def received(self):
        """What the echo server received."""
        try:
            return json.loads(self.body)
        except json.JSONDecodeError:
            raise CheckFailed(f"no answer of the echo server: {self}") from None

    def __str__(self):
        return f"curl {self.code}, status {self.status}\n{self.head}\n{self.body[:500]}\n{self.complaint}"


def curl(words, source="deploy/sleep", space="default", container="sleep", seconds=5):
    """A request from a pod."""
    return Answer(exec_in(source, f"curl -sS -i -m {seconds} {words}", container=container, namespace=space, check=False))


def expect_status(words, status, **place):
    answer = curl(words, **place)
    expect(answer.status == status, f"`curl {words}`: expected {status}, got {answer}")
    return answer


def becomes(words, status, seconds=15, **place):
    """Ask until the status is this one (0: no answer at all); the last answer is told if it never is."""
    last = []

    def attempt():
        last[:] = [curl(words, **place)]
        return last[0] if last[0].status == status else None

    try:
        return eventually(f"`curl {words}` answers {status}", attempt, seconds=seconds)
    except CheckFailed as error:
        raise CheckFailed(f"{error}\n{last[0] if last else ''}") from None


def dump(pod, container="istio-proxy", space="default"):
    """A proxy's config_dump as text."""
    return run(f"kubectl -n {space} exec {pod} -c {container} -- lateen-proxy request GET config_dump").stdout


def names(selector, container="istio-proxy", space="default"):
    """Names of listeners, clusters, route tables and virtual hosts that a proxy has."""
    found = set()
    for part in json.loads(dump(pod_of(selector, space)["metadata"]["name"], container, space))["configs"]:
        kind = part["@type"].rsplit(".", 1)[-1]
        for entries in (value for value in part.values() if isinstance(value, list)):
            for entry in entries:
                inner = entry.get("active_state", entry)
                for field in ("listener", "cluster", "route_config"):
                    if field in inner:
                        found.add((kind, inner[field]["name"]))
                        found.update((kind, inner[field]["name"], host["name"])
                                     for host in inner[field].get("virtual_hosts", []))
    return found


class MeshSettings:
    """Adds lines to the mesh-wide settings for a while: with `with`, or between `begin` and `end`."""

    PLACE = "-n istio-system get configmap istio -o jsonpath={.data.mesh}"

    def __init__(self, more):
        self.more = more
        self.before = None

    def begin(self):
        self.before = kubectl(self.PLACE)
        self.write(self.before.rstrip() + "\n" + self.more)

    def end(self):
        if self.before is not None:
            self.write(self.before)

    def __enter__(self):
        self.begin()

    def __exit__(self, *_):
        self.end()

    @staticmethod
    def write(text):
        patch = json.dumps({"data": {"mesh": text}})
        run(["kubectl", "-n", "istio-system", "patch", "configmap", "istio", "--type", "merge", "-p", patch])
