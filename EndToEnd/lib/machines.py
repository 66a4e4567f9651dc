"""A machine outside the cluster: a network namespace of its own on the bridge of outside hosts.

It reaches the control plane's port for proxies, the addresses of pods, and a name server of its own that knows nothing of
the cluster; a packet filter in it refuses all else, the cluster's DNS and API server among it.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

from journey import ROOT, CheckFailed, run

BRIDGE = "lateen1"
GATEWAY = "10.215.0.1"
PODS = "10.213.0.0/16"
POD_GATEWAY = "10.213.0.1"
NAME_SERVER = "10.215.0.53"
PROXY = str(ROOT / "bin" / "lateen-proxy")


class Machine:
    """Use in `with`: what was started on it ends, and it is gone, whatever happens."""

    def __init__(self, name, address, control_plane):
        self.name = name
        self.space = f"lateen-machine-{name}"  # what begins so is removed by `lateen down` as well
        self.address = address
        self.control_plane = control_plane
        self.processes = []
        self.folder = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix=f"lateen-machine-{self.name}-", dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        pathlib.Path(self.folder, "resolv.conf").write_text(f"nameserver {NAME_SERVER}\noptions timeout:2\n")
        # The host's end has a name that `lateen down` knows, too.
        outer, inner = f"lto{abs(hash(self.name)) % 10 ** 8:08d}", f"ltp{abs(hash(self.name)) % 10 ** 8:08d}"
        try:
            self.remove()
            for line in (
                f"ip netns add {self.space}",
                f"ip link add {outer} type veth peer name {inner}",
                f"ip link set {inner} netns {self.space}",
                f"ip link set {outer} master {BRIDGE} up",
                f"ip -n {self.space} link set lo up",
                f"ip -n {self.space} link set {inner} name eth0",
                f"ip -n {self.space} addr add {self.address}/24 dev eth0",
                f"ip -n {self.space} link set eth0 up",
                f"ip -n {self.space} route add default via {GATEWAY}",
            ):
                run(line)
            rules = [
                "-P OUTPUT DROP", "-A OUTPUT -o lo -j ACCEPT", "-A OUTPUT -d 127.0.0.0/8 -j ACCEPT",
                "-A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                f"-A OUTPUT -d {POD_GATEWAY} -j REJECT",
                f"-A OUTPUT -d {self.control_plane} -p tcp --dport 15012 -j ACCEPT",
                f"-A OUTPUT -d {PODS} -p tcp -j ACCEPT",
                f"-A OUTPUT -d {NAME_SERVER} -p udp --dport 53 -j ACCEPT", "-A OUTPUT -j REJECT",
            ]
            for rule in rules:
                run(f"ip netns exec {self.space} iptables -w 5 {rule}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        self.remove()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def remove(self):
        if pathlib.Path("/run/netns", self.space).exists():
            run(f"ip netns pids {self.space} | xargs -r kill -9", check=False)
            run(f"ip netns del {self.space}", check=False)

    def words(self, command, user=None):
        """The words that run a command (a list, or a line for bash) on the machine."""
        inner = ["bash", "-c", command] if isinstance(command, str) else [str(word) for word in command]
        if user:
            inner = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *inner]
        mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return ["ip", "netns", "exec", self.space, "sh", "-c", mount, f"{self.folder}/resolv.conf", *inner]

    def run(self, command, **options):
        user = options.pop("user", None)
        return run(self.words(command, user), **options)

    def start(self, command, log, **environment):
        """Start a program that goes on; its output goes to a file in the machine's folder."""
        output = open(pathlib.Path(self.folder, log), "a")
        process = subprocess.Popen(
            # It is told to end as well if this journey is killed.
            ["setpriv", "--pdeathsig", "TERM", *self.words(command)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT,
            env={**os.environ, **environment},
        )
        self.processes.append(process)
        return process

    def log(self, name):
        return pathlib.Path(self.folder, name).read_text(errors="replace")

    def stats(self, filter):
        """Counters of the machine's proxy, as a dictionary."""
        text = self.run([PROXY, "request", "GET", "stats"], check=False).stdout
        pairs = (line.rsplit(": ", 1) for line in text.splitlines() if filter in line and ": " in line)
        return {key: int(value) for key, value in pairs if value.isdigit()}

    def users(self, program):
        """Ids of the users that a program runs as on the machine, by its processes."""
        found = {}
        for number in run(f"ip netns pids {self.space}").stdout.split():
            words = run(f"ps -o uid=,comm= -p {number}", check=False).stdout.split()
            if words[1:] == [program[:15]]:
                found[int(number)] = words[0]
        return found

    def kill(self, process):
        process.kill()
        process.wait(10)
        self.processes.remove(process)


__all__ = ["Machine", "CheckFailed", "PROXY"]
