"""What policies cost: expressions, a call of the policy engine, and the filter in the proxy; and a tick of the autoscaler."""

import pathlib
import re
import statistics
import subprocess
import sys

import yaml
from peers import ROOT, TICKS, WORK, Peer, free_ports, install_programs
from scenarios import address, cluster, listener

sys.path.insert(0, str(ROOT / "EndToEnd" / "lib"))
from mixer import Mixer, attributes, field  # noqa: E402

MIXER = "type.googleapis.com/istio.mixer.v1.config.client.HttpClientConfig"
HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
SERVICE = "ratings.default.svc.cluster.local"

# The rule's condition is evaluated for each check, and its handler has nothing to say.
RULES = """
apiVersion: config.istio.io/v1alpha2
kind: handler
metadata: {name: deny-all, namespace: istio-system}
spec: {compiledAdapter: denier, params: {status: {code: 7, message: not for you}}}
---
apiVersion: config.istio.io/v1alpha2
kind: instance
metadata: {name: anything, namespace: istio-system}
spec: {compiledTemplate: checknothing}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: no-third-version, namespace: istio-system}
spec:
  match: destination.service.name == "ratings" && (source.labels["version"] | "") == "v3"
  actions: [{handler: deny-all, instances: [anything]}]
---
apiVersion: config.istio.io/v1alpha2
kind: handler
metadata: {name: counters, namespace: istio-system}
spec:
  compiledAdapter: prometheus
  params:
    metrics: [{name: requests, instance_name: requests.instance.istio-system, kind: COUNTER, label_names: [service, code]}]
---
apiVersion: config.istio.io/v1alpha2
kind: instance
metadata: {name: requests, namespace: istio-system}
spec:
  compiledTemplate: metric
  params:
    value: "1"
    dimensions: {service: destination.service.name | "unknown", code: response.code | 0}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: count, namespace: istio-system}
spec: {actions: [{handler: counters, instances: [requests]}]}
"""

REQUEST = {
    "context.protocol": "http", "context.reporter.kind": "inbound", "request.method": "GET", "request.path": "/ratings/0",
    "request.host": "ratings:9080", "request.scheme": "http", "request.useragent": "python-requests/2.32",
    "request.headers": {":method": "GET", ":path": "/ratings/0", ":authority": "ratings:9080", "accept": "*/*",
                        "user-agent": "python-requests/2.32", "x-request-id": "9b2f0c44-5a0e-4b8f-8a6e-2f3c4d5e6f70"},
    "source.principal": "cluster.local/ns/default/sa/bookinfo-reviews", "source.ip": bytes([10, 213, 0, 14]),
    "destination.ip": bytes([10, 213, 0, 15]), "destination.port": 9080, "destination.namespace": "default",
    "destination.service.name": "ratings", "destination.service.namespace": "default", "destination.service.host": SERVICE,
    "destination.uid": "kubernetes://ratings-v1-7c6b8d5f9-abcde.default", "connection.mtls": True,
}


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def engine():
    folder = WORK / "policies"
    folder.mkdir(exist_ok=True)
    (folder / "rules.yaml").write_text(RULES)
    return Mixer(folder, WORK / "mixer.log")


def expressions():
    lines = ["## Expressions", "", "| expression | ns |", "|---|---|"]
    for line in program("expressions").splitlines():
        _, nanoseconds, source = line.split("\t")
        lines.append(f"| `{source.replace('|', chr(92) + '|')}` | {nanoseconds} |")
    return "\n".join(lines) + "\n"


def program(name):
    """Runs `Benchmarks/NAME/main.swift`, compiled against the release build; its output."""
    return subprocess.check_output([str(ROOT / "Benchmarks" / "program"), name], text=True)


def calls(mixer, options):
    """h2load asks as a proxy does. Answers are checked before, as h2load does not look into them."""
    answer = mixer.check(REQUEST)
    if answer.code != 0:
        sys.exit(f"the policy engine refused the request that is measured: {answer.code} {answer.message}")
    message = field(1, attributes(REQUEST)) + field(2, 222)
    body = WORK / "check.bin"
    body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    lines = ["## Check, a call of the policy engine on loopback", "",
             "| calls under way | calls/s | CPU µs per call | p50 ms | p99 ms |", "|---|---|---|---|---|"]
    for clients in (1, 8, 64):
        log = WORK / "check.log"
        log.unlink(missing_ok=True)
        before = cpu_seconds(mixer.process.pid)
        text = subprocess.check_output(
            ["h2load", f"-c{min(clients, 8)}", f"-m{max(1, clients // 8)}", f"-D{options.seconds}", "-d", str(body),
             f"--log-file={log}", "-H", "content-type: application/grpc", "-H", "te: trailers",
             f"http://127.0.0.1:{mixer.port}/istio.mixer.v1.Mixer/Check"], text=True)
        spent = cpu_seconds(mixer.process.pid) - before
        rows = [row.split("\t") for row in log.read_text().splitlines()]
        if any(row[1] != "200" for row in rows) or not rows:
            sys.exit(f"the policy engine answered with errors:\n{text}")
        times = sorted(int(row[2]) / 1000 for row in rows)
        lines.append(f"| {clients} | {len(times) / options.seconds:,.0f} | {spent * 1e6 / len(times):.1f} | "
                     f"{times[len(times) // 2]:.2f} | {times[len(times) * 99 // 100]:.2f} |")
    return "\n".join(lines) + "\n"


def filter_chain(checks, reports):
    """An HTTP connection manager with Istio's filter, which asks and tells the cluster `engine`."""
    text = {key: {"stringValue": value} for key, value in REQUEST.items()
            if key.startswith("destination.") and isinstance(value, str)}
    filters = [{"name": "router", "typed_config": {"@type": ROUTER}}]
    if checks or reports:
        filters.insert(0, {"name": "mixer", "typed_config": {
            "@type": MIXER,
            "transport": {"checkCluster": "engine", "reportCluster": "engine", "networkFailPolicy": {"policy": "FAIL_CLOSE"}},
            "mixerAttributes": {"attributes": {"context.reporter.kind": {"stringValue": "inbound"}}},
            "defaultDestinationService": SERVICE,
            "serviceConfigs": {SERVICE: {"disableCheckCalls": not checks, "disableReportCalls": not reports,
                                         "mixerAttributes": {"attributes": text}}},
        }})
    return {"name": "hcm", "typed_config": {
        "@type": HCM, "stat_prefix": "policy", "codec_type": "AUTO",
        "route_config": {"name": "all", "virtual_hosts": [
            {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "backend"}}]}]},
        "http_filters": filters,
    }}


# Requests a second, the same for all kinds: a proxy that has less to do between two requests would pay more for waking up.
RATE = 16_000


def steady(port, pid, options):
    """Requests at `RATE` over keep-alive connections: CPU µs of a process per request, and p99 in ms."""
    log = WORK / "steady.log"
    log.unlink(missing_ok=True)
    before = cpu_seconds(pid)
    subprocess.check_output(
        ["h2load", "--h1", f"-c{options.connections}", f"--rps={RATE // options.connections}", f"-D{options.seconds}",
         f"--log-file={log}", f"http://127.0.0.1:{port}/"], text=True)
    spent = cpu_seconds(pid) - before
    rows = [row.split("\t") for row in log.read_text().splitlines()]
    if any(row[1] != "200" for row in rows) or not rows:
        sys.exit("requests through the proxy were answered with errors")
    times = sorted(int(row[2]) / 1000 for row in rows)
    return {"rate": len(times) / options.seconds, "cpu": spent * 1e6 / len(times), "p99": times[len(times) * 99 // 100]}


def in_the_proxy(mixer, backend, options):
    """The same requests without the filter, with checks, and with reports; all listeners in one proxy, taking turns."""
    kinds = {"without a filter": (False, False), "checks, answered from the cache": (True, False),
             "reports": (False, True), "both": (True, True)}
    ports = dict(zip([*kinds, "admin"], free_ports(len(kinds) + 1)))
    file = WORK / "policy.yaml"
    file.write_text(yaml.safe_dump({
        "admin": {"address": address(ports["admin"])},
        "static_resources": {
            "listeners": [listener(name, ports[name], filter_chain(*parts)) for name, parts in kinds.items()],
            "clusters": [cluster("backend", backend), cluster("engine", mixer.port, http2=True)],
        },
    }))
    peer = Peer("lateen-policy", [str(ROOT / "bin" / "lateen-proxy"), "run", "--bootstrap", str(file), "--concurrency", "1"],
                http=ports["without a filter"])
    rows = {name: [] for name in kinds}
    engine_cpu = {name: [] for name in kinds}
    # The difference of two figures is small beside them: it takes more rounds than the figures do.
    rounds = 3 * options.rounds
    try:
        for number in range(1, rounds + 1):
            for name in kinds:
                before = cpu_seconds(mixer.process.pid)
                row = steady(ports[name], peer.pid, options)
                rows[name].append(row)
                engine_cpu[name].append((cpu_seconds(mixer.process.pid) - before) * 1e6 / (row["rate"] * options.seconds))
            print(f"policies, round {number}/{rounds} done", file=sys.stderr, flush=True)
        counts = subprocess.check_output(["curl", "-s", f"http://127.0.0.1:{ports['admin']}/stats?filter=mixer"], text=True)
    finally:
        peer.stop()
    lines = ["## The policy filter in the proxy", "", f"{RATE:,} requests a second for each, {rounds} rounds.", "",
             "| requests with | req/s | CPU µs per request | more than without | p99 ms | engine's CPU µs per request |",
             "|---|---|---|---|---|---|"]
    for name, found in rows.items():
        middle = {key: statistics.median(each[key] for each in found) for key in found[0]}
        more = statistics.median(each["cpu"] - base["cpu"] for each, base in zip(found, rows["without a filter"]))
        lines.append(f"| {name} | {middle['rate']:,.0f} | {middle['cpu']:.1f} | {more:.1f} | {middle['p99']:.2f} | "
                     f"{statistics.median(engine_cpu[name]):.1f} |")
    told = {key: int(value) for key, value in re.findall(r"(\S+): (\d+)", counts)}
    kept = ", ".join(f"{value:,} {key.rpartition('.')[2]}" for key, value in sorted(told.items()) if value)
    return "\n".join(lines) + f"\n\nWhat the proxy counted: {kept}.\n"


def autoscaler():
    text = program("autoscaler")
    rows = [re.split(r"\s{2,}", line, maxsplit=1) for line in text.strip().splitlines()]
    return "\n".join(["## A tick of the autoscaler", "", "| what | figure |", "|---|---|",
                      *(f"| {name} | {value} |" for name, value in rows)]) + "\n"


def run(options):
    install_programs()
    conf, port = WORK / "policy-backend.conf", free_ports(1)[0]
    conf.write_text(
        f"worker_processes 1; daemon off; pid {WORK}/policy-backend.pid; error_log stderr; events {{ worker_connections 8192; }}\n"
        "http { access_log off; keepalive_requests 100000000; client_body_temp_path /tmp; proxy_temp_path /tmp;\n"
        f"server {{ listen 127.0.0.1:{port} reuseport; location / {{ return 200 \"{'hello world ' * 7}\\n\"; }} }} }}\n")
    backend = Peer("policy-backend", ["nginx", "-p", str(WORK), "-c", str(conf), "-e", "stderr"], http=port)
    mixer = engine()
    try:
        return "\n".join([expressions(), calls(mixer, options), in_the_proxy(mixer, port, options), autoscaler()])
    finally:
        mixer.stop()
        backend.stop()
