"""What is measured with TLS and HTTP/2: Lateen's proxy and Envoy from one and the same bootstrap, one worker each."""

import os
import re
import statistics
import subprocess
import sys
import time

import yaml
from peers import ROOT, WORK, Peer, free_ports

HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
TCP = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
SERVER_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
CLIENT_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
INSPECTOR = "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
HTTP_OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
SECONDS_OF_HANDSHAKES = 5
BLOB_BYTES = 64 << 20


def make_certificates():
    """A root and one certificate with the SPIFFE name of a workload, ECDSA P-256 as the mesh issues them."""
    folder = WORK / "certificates"
    folder.mkdir(exist_ok=True)
    if (folder / "leaf.pem").exists():
        return folder
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", *key, "-days", "3650", "-keyout", "root.key", "-out", "root.pem", "-subj", "/O=bench",
            "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", "-new", *key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=bench.test")
    (folder / "leaf.ext").write_text(
        "subjectAltName=URI:spiffe://cluster.local/ns/default/sa/bench,DNS:bench.test\nextendedKeyUsage=serverAuth,clientAuth\n")
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "3650",
            "-extfile", "leaf.ext", "-out", "leaf.pem")
    return folder


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def common_tls(folder, alpn):
    return {
        "tls_certificates": [{"certificate_chain": {"filename": f"{folder}/leaf.pem"},
                              "private_key": {"filename": f"{folder}/leaf.key"}}],
        "validation_context": {
            "trusted_ca": {"filename": f"{folder}/root.pem"},
            "match_typed_subject_alt_names": [
                {"san_type": "URI", "matcher": {"exact": "spiffe://cluster.local/ns/default/sa/bench"}}],
        },
        "alpn_protocols": alpn,
    }


def server_tls(folder, alpn):
    return {"name": "tls", "typed_config": {
        "@type": SERVER_TLS, "require_client_certificate": True, "common_tls_context": common_tls(folder, alpn)}}


def client_tls(folder, alpn):
    return {"name": "tls", "typed_config": {
        "@type": CLIENT_TLS, "sni": "bench.test", "common_tls_context": common_tls(folder, alpn)}}


def http_filter(cluster):
    return {"name": "hcm", "typed_config": {
        "@type": HCM, "stat_prefix": cluster, "codec_type": "AUTO",
        "route_config": {"name": cluster, "virtual_hosts": [
            {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
    }}


def listener(name, port, filter, socket=None, match=None, inspects=False):
    chain = {"filters": [filter]}
    if socket:
        chain["transport_socket"] = socket
    if match:
        chain["filter_chain_match"] = match
    found = {"name": name, "address": address(port), "filter_chains": [chain]}
    if inspects:
        found["listener_filters"] = [{"name": "tls", "typed_config": {"@type": INSPECTOR}}]
    return found


def cluster(name, port, socket=None, http2=False):
    found = {"name": name, "type": "STATIC", "connect_timeout": "2s", "load_assignment": {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}]}}
    if socket:
        found["transport_socket"] = socket
    if http2:
        found["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": HTTP_OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}}
    return found


def bootstrap(folder, ports, backends):
    """Client sidecar and server sidecar in one process, SNI passthrough, and HTTP/2 in clear text."""
    return {
        "admin": {"address": address(ports["admin"])},
        "static_resources": {
            "listeners": [
                listener("client", ports["mtls"], http_filter("to-server")),
                listener("server", ports["server"], http_filter("backend"), server_tls(folder, ["h2", "http/1.1"])),
                listener("sni", ports["sni"], {"name": "tcp", "typed_config": {
                    "@type": TCP, "stat_prefix": "sni", "cluster": "blob"}},
                    match={"server_names": ["bench.test"]}, inspects=True),
                listener("http2", ports["http2"], http_filter("http2")),
            ],
            "clusters": [
                cluster("to-server", ports["server"], client_tls(folder, ["http/1.1"])),
                cluster("backend", backends["http"]),
                cluster("blob", backends["tls"]),
                cluster("http2", backends["http2"], http2=True),
            ],
        },
    }


def large_bootstrap(ports, backend, count):
    """`count` clusters and as many routes, each with a host of its own."""
    hosts = [{"name": f"host-{i}", "domains": [f"service-{i}.default.svc.cluster.local", f"service-{i}"],
              "routes": [{"match": {"prefix": "/"}, "route": {"cluster": f"outbound|80||service-{i}"}}]}
             for i in range(count)]
    filter = http_filter("large")
    filter["typed_config"]["route_config"]["virtual_hosts"] = hosts
    return {
        "admin": {"address": address(ports["admin"])},
        "static_resources": {
            "listeners": [listener("large", ports["http"], filter)],
            "clusters": [cluster(f"outbound|80||service-{i}", backend) for i in range(count)],
        },
    }


def write_backends(folder, ports):
    nginx = WORK / "tls-backend.conf"
    blob = WORK / "www"
    blob.mkdir(exist_ok=True)
    with open(blob / "blob", "wb") as file:
        file.truncate(BLOB_BYTES)
    (blob / "unary").write_bytes(b"\0\0\0\0\x0a" + b"x" * 10)
    nginx.write_text(
        f"worker_processes 1; daemon off; pid {WORK}/tls-backend.pid; error_log stderr; events {{ worker_connections 4096; }}\n"
        f"http {{ access_log off; sendfile on; server {{ listen 127.0.0.1:{ports['tls']} ssl; ssl_certificate {folder}/leaf.pem; "
        f"ssl_certificate_key {folder}/leaf.key; root {blob}; }} }}\n")
    return nginx


def spent(peer, action):
    before = peer.cpu_seconds()
    started = time.monotonic()
    result = action()
    return result, peer.cpu_seconds() - before, time.monotonic() - started


def wrk(peer, port, options, *more):
    text, cpu, _ = spent(peer, lambda: subprocess.check_output(
        ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "--latency", *more, f"http://127.0.0.1:{port}/"],
        text=True))
    if "Non-2xx" in text:
        sys.exit(f"{peer.name} answered with errors:\n{text}")
    requests = int(re.search(r"(\d+) requests in", text)[1])
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), "cpu": cpu * 1e6 / requests,
            "p99": milliseconds(re.search(r"^ +99% +(\S+)", text, re.MULTILINE)[1])}


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def unary(peer, port, options):
    """h2load with the shape of a gRPC call: a small message each way."""
    text, cpu, _ = spent(peer, lambda: subprocess.check_output(
        ["h2load", "-c8", "-m16", f"-D{options.seconds}", "--warm-up-time=1", "-d", str(WORK / "www" / "unary"),
         "-H", "content-type: application/grpc", "-H", "te: trailers", f"http://127.0.0.1:{port}/unary"], text=True))
    done = re.search(r"requests: (\d+) total.*?(\d+) succeeded, (\d+) failed", text, re.DOTALL)
    if int(done[3]) > 0 or int(done[2]) == 0:
        sys.exit(f"{peer.name} failed requests:\n{text}")
    rate = float(re.search(r"finished in [\d.]+m?s, ([\d.]+) req/s", text)[1])
    total = rate * (options.seconds + 1)  # the time of warming up counts for the CPU as well
    found = re.search(r"time for request: +\S+ +(\S+) +(\S+)", text)
    return {"rate": rate, "cpu": cpu * 1e6 / total, "p99": milliseconds(found[1])}


def handshakes(peer, port, folder, reuse):
    """New mutual-TLS connections to the server sidecar, one after the other from two clients."""
    # A ticket of TLS 1.3 comes after the handshake, and this client leaves then; one of TLS 1.2 comes with it.
    way = ["-reuse", "-tls1_2"] if reuse else ["-new"]
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-cert", f"{folder}/leaf.pem", "-key", f"{folder}/leaf.key",
               "-CAfile", f"{folder}/root.pem", "-time", str(SECONDS_OF_HANDSHAKES), *way]

    def action():
        clients = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(2)]
        return sum(int(re.search(r"(\d+) connections in \d+ real seconds", client.communicate()[0])[1]) for client in clients)

    count, cpu, elapsed = spent(peer, action)
    return {"rate": count / elapsed, "cpu": cpu * 1e6 / max(count, 1)}


def passthrough(peer, port, folder):
    """64 MiB downloads through SNI routing, four at a time."""
    command = ["curl", "-sZ", "--parallel-immediate", "--parallel-max", "4", "--cacert", f"{folder}/root.pem",
               "--resolve", f"bench.test:{port}:127.0.0.1"]
    for _ in range(12):
        command += ["-o", "/dev/null", f"https://bench.test:{port}/blob"]
    _, cpu, elapsed = spent(peer, lambda: subprocess.run(command, check=True))
    mebibytes = 12 * BLOB_BYTES / (1 << 20)
    return {"rate": 12 * BLOB_BYTES * 8 / elapsed / 1e9, "cpu": cpu * 1e6 / mebibytes}


def table(title, unit, per, rows):
    """One line per peer, medians; `rows` by peer."""
    has_p99 = any("p99" in each for rounds in rows.values() for each in rounds)
    lines = [f"## {title}", "", f"| proxy | {unit} | CPU µs per {per} | × Envoy |" + (" p99 ms |" if has_p99 else ""),
             "|---|---|---|---|" + ("---|" if has_p99 else "")]
    base = statistics.median(each["cpu"] for each in rows["envoy"])
    for name, rounds in rows.items():
        middle = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        rate = f"{middle['rate']:.2f}" if middle["rate"] < 100 else f"{middle['rate']:,.0f}"
        lines.append(f"| {name} | {rate} | {middle['cpu']:.1f} | {middle['cpu'] / base:.2f} |"
                     + (f" {middle['p99']:.2f} |" if has_p99 else ""))
    return "\n".join(lines) + "\n"


def start(name, envoy, file):
    return ([str(ROOT / "bin" / "lateen-proxy"), "run", "--bootstrap", file, "--concurrency", "1"] if name == "lateen" else
            [str(envoy), "-c", file, "--concurrency", "1", "--base-id", str((os.getpid() + 17) % 4000), "-l", "error"])


def run(envoy, backend_port, options):
    """Measures everything; returns Markdown."""
    folder = make_certificates()
    back = dict(zip(("tls", "http2"), free_ports(2)))
    back["http"] = backend_port
    kinds = ("mtls", "server", "sni", "http2", "admin")
    peers, measured, rows = [], [], {}
    try:
        conf = write_backends(folder, back)
        peers.append(Peer("tls-backend", ["nginx", "-p", str(WORK), "-c", str(conf), "-e", "stderr"], http=back["tls"]))
        peers.append(Peer("http2-backend", ["nghttpd", "--no-tls", "-n1", "-d", str(WORK / "www"), "--trailer=grpc-status: 0",
                                            "--address=127.0.0.1", str(back["http2"])], http=back["http2"]))
        for name in ("lateen", "envoy"):
            ports = dict(zip(kinds, free_ports(len(kinds))))
            file = WORK / f"{name}-tls.yaml"
            file.write_text(yaml.safe_dump(bootstrap(folder, ports, back)))
            peer = Peer(f"{name}-tls", start(name, envoy, str(file)), http=ports["mtls"])
            peers.append(peer)
            measured.append((name, peer, ports))
        steps = {
            "mtls": lambda peer, ports: wrk(peer, ports["mtls"], options),
            "new": lambda peer, ports: handshakes(peer, ports["server"], folder, False),
            "resumed": lambda peer, ports: handshakes(peer, ports["server"], folder, True),
            "sni": lambda peer, ports: passthrough(peer, ports["sni"], folder),
            "unary": lambda peer, ports: unary(peer, ports["http2"], options),
        }
        rows = {step: {name: [] for name, _, _ in measured} for step in steps}
        for number in range(1, options.rounds + 1):
            for name, peer, ports in measured:
                for step, measure in steps.items():
                    rows[step][name].append(measure(peer, ports))
                print(f"TLS and HTTP/2, round {number}/{options.rounds}: {name} done", file=sys.stderr, flush=True)
    finally:
        for peer in reversed(peers):
            peer.stop()
    return "\n".join([
        table("HTTP/1.1 through two sidecars with mutual TLS between them (both hops in one process)", "req/s", "request", rows["mtls"]),
        table("New mutual-TLS connections, full handshakes (TLS 1.3, server side)", "handshakes/s", "handshake", rows["new"]),
        table("New mutual-TLS connections, resumed (TLS 1.2, server side)", "handshakes/s", "handshake", rows["resumed"]),
        table("TLS passed on by server name (64 MiB downloads)", "Gbit/s", "MiB", rows["sni"]),
        table("HTTP/2 unary calls (gRPC's shape, clear text)", "calls/s", "call", rows["unary"]),
        memory(envoy, backend_port),
    ])


def memory(envoy, backend_port, count=1000):
    """Resident memory with many clusters and routes, after some requests to them."""
    lines = [f"## Memory with {count} clusters and {count} routes", "", "| proxy | RSS MB | × Envoy |", "|---|---|---|"]
    found = {}
    for name in ("lateen", "envoy"):
        ports = dict(zip(("http", "admin"), free_ports(2)))
        file = WORK / f"{name}-large.yaml"
        file.write_text(yaml.safe_dump(large_bootstrap(ports, backend_port, count)))
        peer = Peer(f"{name}-large", start(name, envoy, str(file)), http=ports["http"])
        try:
            for number in range(0, count, 10):
                subprocess.run(["curl", "-sf", "-o", "/dev/null", "-H", f"Host: service-{number}", f"http://127.0.0.1:{ports['http']}/"],
                               check=True)
            found[name] = peer.resident_megabytes()
        finally:
            peer.stop()
    for name, megabytes in found.items():
        lines.append(f"| {name} | {megabytes:.1f} | {megabytes / found['envoy']:.2f} |")
    return "\n".join(lines) + "\n"
