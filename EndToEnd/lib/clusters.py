"""A second cluster beside the one of the journeys, and commands in either."""

import json
import os
import pathlib
import subprocess
import sys

from journey import LATEEN, CheckFailed, run

MAIN, WEST = "main", "west"


def kubeconfig(cluster):
    home = os.environ.get("LATEEN_HOME", "/var/lib/lateen")
    return f"{home}/kubeconfig" if cluster == MAIN else f"{home}-{cluster}/kubeconfig"


def kubectl_in(cluster, line, **options):
    return run(f"kubectl {line}", environment={"KUBECONFIG": kubeconfig(cluster)}, **options).stdout


def apply_in(cluster, objects):
    """Apply objects (a list of them, or YAML)."""
    text = objects if isinstance(objects, str) else "".join(f"---\n{json.dumps(part)}\n" for part in objects)
    return kubectl_in(cluster, "apply -f -", input=text)


def lateen(line, **options):
    return run(f"{LATEEN} {line}", **options).stdout


def remote_clusters(cluster):
    """The other clusters that a cluster's control plane knows, by name."""
    found = json.loads(lateen(f"remote-clusters --cluster {cluster} -o json"))["clusters"]
    return {entry["name"]: entry for entry in found}


class SecondCluster:
    """Up while the block runs, and gone afterwards, whatever happened in it."""

    def __init__(self, name=WEST):
        self.name = name

    def __enter__(self):
        lateen(f"down --purge --cluster {self.name}", check=False, timeout=120)
        try:
            self.said = lateen(f"up --cluster {self.name} --images Samples/images.yaml", timeout=180)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            folder = pathlib.Path(kubeconfig(self.name)).parent
            for line in (
                f"kubectl --kubeconfig {kubeconfig(self.name)} get pods -A", f"tail -n 25 {folder}/logs/platform.log",
            ):
                done = run(line, check=False, timeout=20)
                print(f"$ {line}\n{done.stdout}{done.stderr}", flush=True)
        down = run(f"{LATEEN} down --purge --cluster {self.name}", check=False, timeout=120)
        if error is not None:
            return
        if down.returncode != 0:
            raise CheckFailed(f"{self.name} did not go down:\n{down.stdout}{down.stderr}")
        left = run("ip netns list; ip -o link show", check=False).stdout
        if f"lateen.{self.name}" in left or "latwire0" in left:
            raise CheckFailed(f"something of {self.name} is left:\n{left}")


class World:
    """A host outside all clusters while the block runs. It knows this machine alone, and answers with who asks."""

    ADDRESS, MACHINE, PORT = "203.0.113.2", "203.0.113.1", 8000
    _SPACE, _LINK = "journey-world", "world0"
    _SERVER = (
        # Not http.server's own server, which looks its name up first: there is nobody to ask.
        "import http.server, socketserver\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "  def do_GET(self):\n"
        "    self.send_response(200); self.end_headers(); self.wfile.write(self.client_address[0].encode())\n"
        f"socketserver.TCPServer(('{ADDRESS}', {PORT}), Handler).serve_forever()"
    )

    def __enter__(self):
        self._remove()
        for line in (
            f"ip netns add {self._SPACE}",
            f"ip link add {self._LINK} type veth peer name eth0 netns {self._SPACE}",
            f"ip addr add {self.MACHINE}/30 dev {self._LINK}",
            f"ip link set {self._LINK} up",
            f"ip -n {self._SPACE} addr add {self.ADDRESS}/30 dev eth0",
            f"ip -n {self._SPACE} link set eth0 up",
        ):
            run(line)
        self._process = subprocess.Popen(["ip", "netns", "exec", self._SPACE, sys.executable, "-c", self._SERVER],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._remove()

    def _remove(self):
        run(f"ip link del {self._LINK}", check=False)
        run(f"ip netns del {self._SPACE}", check=False)
