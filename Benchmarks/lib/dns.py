"""DNS: lateen-proxy's name table beside a server on miekg/dns, unbound and dnsmasq, one thread each, loaded by dnsperf."""

import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import time

from peers import HERE, ROOT, WORK, Peer, free_ports

FOLDER = WORK / "dns"
NAMES = 5_000
MANY = 50_000
QUERIES = 20_000
CLIENTS, OUTSTANDING = 16, 200
OFFERED = 100_000
# At which rate the time to an answer is measured: all peers keep up with it.
LATENCY_RATE = 40_000
GO_PATH = "/usr/share/gocode"


def name(number):
    return f"svc{number}.ns1.svc.cluster.local"


def four(number):
    return f"240.240.{number >> 8 & 255}.{number & 255}"


def six(number):
    return f"2001:2::{number:x}"


def install():
    programs = {"dnsperf": "dnsperf", "unbound": "unbound", "dnsmasq": "dnsmasq-base", "go": "golang-go"}
    missing = [package for program, package in programs.items()
               if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")]
    if not pathlib.Path(GO_PATH, "src/github.com/miekg/dns").exists():
        missing.append("golang-github-miekg-dns-dev")
    if missing:
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], check=True,
                       stdout=subprocess.DEVNULL)
    FOLDER.mkdir(parents=True, exist_ok=True)
    program = FOLDER / "dns-peer"
    source = HERE / "dns-peer"
    if not program.exists() or program.stat().st_mtime < (source / "main.go").stat().st_mtime:
        environment = os.environ | {"GO111MODULE": "off", "GOPATH": GO_PATH, "GOFLAGS": "", "CGO_ENABLED": "0",
                                    "GOCACHE": str(FOLDER / "go-cache")}
        subprocess.run(["go", "build", "-o", str(program), "."], cwd=source, env=environment, check=True)
    return program


def table(count, changed=None):
    """A name table; `changed` has another address."""
    return {"table": {name(i): {"ips": [four(i + (i == changed)), six(i)], "registry": "Kubernetes", "shortname": f"svc{i}",
                                "namespace": "ns1"} for i in range(count)}}


def write_queries():
    """Files for dnsperf: names in no order, each of a kind."""
    chance = random.Random(1)
    numbers = [chance.randrange(NAMES) for _ in range(QUERIES)]
    kinds = {"a": lambda i: f"{name(i)} A", "aaaa": lambda i: f"{name(i)} AAAA", "nodata": lambda i: f"{name(i)} MX",
             "search": lambda i: f"{name(i)}.ns1.svc.cluster.local A", "upstream": lambda i: f"far{i % 1000}.up.test A"}
    for kind, line in kinds.items():
        (FOLDER / f"{kind}.txt").write_text("".join(line(i) + "\n" for i in numbers))


def unbound_configuration(port):
    records = "".join(f' local-data: "{name(i)}. 30 IN A {four(i)}"\n local-data: "{name(i)}. 30 IN AAAA {six(i)}"\n'
                      for i in range(NAMES))
    far = "".join(f' local-data: "far{i}.up.test. 3600 IN A 198.51.100.{i & 255}"\n' for i in range(1000))
    path = FOLDER / "unbound.conf"
    path.write_text(
        f'server:\n interface: 127.0.0.1\n port: {port}\n num-threads: 1\n chroot: ""\n username: ""\n directory: "{FOLDER}"\n'
        f' pidfile: "{FOLDER}/unbound.pid"\n use-syslog: no\n outgoing-range: 512\n local-zone: "ns1.svc.cluster.local." static\n'
        f' local-zone: "up.test." static\n{records}{far}')
    return path


def lateen(file, port, *more):
    return [str(ROOT / "bin" / "lateen-proxy"), "dns", "--name-table", str(file), "--listen", f"127.0.0.1:{port}",
            "--namespace", "ns1", "--search", "ns1.svc.cluster.local", "--log-level", "info", *more]


class Load:
    """One run of dnsperf and what it says."""

    def __init__(self, peer, kind, seconds, *more, outstanding=OUTSTANDING):
        before = peer.cpu_seconds()
        out = subprocess.run(
            ["dnsperf", "-s", "127.0.0.1", "-p", str(peer.http), "-d", str(FOLDER / f"{kind}.txt"), "-l", str(seconds),
             "-c", str(CLIENTS), "-q", str(outstanding), "-T", "1", "-t", "2", *more],
            check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        spent = peer.cpu_seconds() - before
        self.completed = int(re.search(r"Queries completed: +(\d+)", out)[1])
        self.lost = int(re.search(r"Queries lost: +(\d+)", out)[1])
        self.rate = float(re.search(r"Queries per second: +([\d.]+)", out)[1])
        codes = re.search(r"Response codes: +(.*)", out)[1]
        if not codes.startswith("NOERROR"):
            sys.exit(f"{peer.name} answered {kind} with {codes}")
        self.cpu = spent * 1e6 / max(self.completed, 1)
        times = sorted(float(line.rsplit(" ", 1)[1]) for line in out.splitlines() if line.startswith("> NOERROR"))
        if times:
            self.p50, self.p99 = (times[int(len(times) * share)] * 1e6 for share in (0.5, 0.99))


def median(rounds, key):
    return statistics.median(getattr(each, key) for each in rounds)


def rows(title, header, lines):
    return "\n".join([f"## {title}", "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
                     + ["| " + " | ".join(line) + " |" for line in lines]) + "\n"


def throughput(title, found, reference="miekg/dns"):
    base = median(found[reference], "cpu")
    return rows(title, ["server", "queries/s", "CPU µs per query", f"× {reference}"],
                [[server, f"{median(rounds, 'rate'):,.0f}", f"{median(rounds, 'cpu'):.2f}", f"{median(rounds, 'cpu') / base:.2f}"]
                 for server, rounds in found.items()])


def run(options):
    """Measures everything; returns Markdown."""
    program = install()
    write_queries()
    small = FOLDER / "names.json"
    small.write_text(json.dumps(table(NAMES)))
    hosts = FOLDER / "hosts"
    hosts.write_text("".join(f"{four(i)} {name(i)}\n{six(i)} {name(i)}\n" for i in range(NAMES)))
    ports = free_ports(5)
    unbound = unbound_configuration(ports[2])
    peers = []

    def start(title, command, port):
        peers.append(Peer(title, command, http=port))
        return peers[-1]

    os.environ["GOMAXPROCS"] = "1"
    kinds = {"a": (), "aaaa": (), "nodata": (), "tcp": ("-m", "tcp")}
    try:
        measured = {
            "lateen": start("lateen-dns", lateen(small, ports[0]), ports[0]),
            "miekg/dns": start("dns-peer", [str(program), str(small), f"127.0.0.1:{ports[1]}"], ports[1]),
            "unbound": start("unbound", ["/usr/sbin/unbound", "-d", "-c", str(unbound)], ports[2]),
            "dnsmasq": start("dnsmasq", ["/usr/sbin/dnsmasq", "-k", "-C", "/dev/null", "--no-hosts", "--no-resolv", "--bind-interfaces",
                                         "--listen-address=127.0.0.1", f"--port={ports[3]}", f"--addn-hosts={hosts}",
                                         "--local-ttl=30", "--user=root", "--pid-file"], ports[3]),
        }
        found = {kind: {server: [] for server in measured} for kind in (*kinds, "latency", "offered")}
        del found["tcp"]["dnsmasq"]  # it makes a process for each connection
        del found["nodata"]["dnsmasq"]  # it asks others for types that a hosts file does not have
        cached = {"local": [], "cached": []}
        for number in range(1, options.rounds + 1):
            for server, peer in measured.items():
                for kind, more in kinds.items():
                    if server in found[kind]:
                        found[kind][server].append(Load(peer, "a" if kind == "tcp" else kind, options.seconds, *more))
                found["latency"][server].append(Load(peer, "a", options.seconds, "-Q", str(LATENCY_RATE), "-v"))
                found["offered"][server].append(Load(peer, "a", options.seconds, "-Q", str(OFFERED), outstanding=1000))
                print(f"DNS, round {number}/{options.rounds}: {server} done", file=sys.stderr, flush=True)
        resident = {server: peer.resident_megabytes() for server, peer in measured.items()}
        front = start("lateen-cache", lateen(small, ports[4], "--upstream", f"127.0.0.1:{ports[2]}"), ports[4])
        Load(front, "upstream", 1)
        for number in range(options.rounds):
            cached["local"].append(Load(front, "a", options.seconds))
            cached["cached"].append(Load(front, "upstream", options.seconds))
        search = [Load(front, "search", options.seconds) for _ in range(options.rounds)]
    finally:
        for peer in reversed(peers):
            peer.stop()
    latency = [[server, f"{median(rounds, 'p50'):.0f}", f"{median(rounds, 'p99'):.0f}", f"{median(rounds, 'cpu'):.2f}"]
               for server, rounds in found["latency"].items()]
    offered = [[server, f"{median(rounds, 'rate'):,.0f}", str(sum(each.lost for each in rounds)), f"{median(rounds, 'cpu'):.2f}"]
               for server, rounds in found["offered"].items()]
    local = median(cached["local"], "cpu")
    own = [[title, f"{median(rounds, 'rate'):,.0f}", f"{median(rounds, 'cpu'):.2f}", f"{median(rounds, 'cpu') / local:.2f}"]
           for title, rounds in [("host of the table", cached["local"]), ("with a search domain behind it", search),
                                 ("another server's, asked before", cached["cached"])]]
    return "\n".join([
        throughput(f"DNS over UDP: IPv4 addresses of {NAMES:,} names", found["a"]),
        throughput("DNS over UDP: IPv6 addresses", found["aaaa"]),
        throughput("DNS over UDP: a type that the name does not have", found["nodata"]),
        throughput(f"DNS over TCP ({CLIENTS} connections)", found["tcp"]),
        rows(f"DNS: time to an answer at {LATENCY_RATE:,} queries/s", ["server", "p50 µs", "p99 µs", "CPU µs per query"], latency),
        rows(f"DNS: {OFFERED:,} queries/s offered, up to 1,000 without an answer", ["server", "queries/s", "lost", "CPU µs per query"],
             offered),
        rows("DNS: what lateen's answers cost by their kind", ["answer", "queries/s", "CPU µs per query", "× local"], own),
        large(resident),
    ])


def large(resident):
    """A table of many names: memory, and the time that a change of one of them takes."""
    file = FOLDER / "many.json"
    file.write_text(json.dumps(table(MANY)))
    port = free_ports(1)[0]
    peer = Peer("lateen-many", lateen(file, port), http=port)
    log = WORK / "lateen-many.log"
    try:
        first = wait_for_reading(log, 1)
        time.sleep(0.5)
        megabytes = peer.resident_megabytes()
        times = []
        for round in range(1, 6):
            new = FOLDER / "many.new"
            new.write_text(json.dumps(table(MANY, changed=round)))
            os.replace(new, file)
            times.append(wait_for_reading(log, round + 1))
        time.sleep(0.5)  # what reading took is given back when all is done
        after = peer.resident_megabytes()
    finally:
        peer.stop()
    lines = [["resident memory, 5,000 names (unbound, miekg/dns)", f"{resident['lateen']:.1f} MB "
              f"({resident['unbound']:.1f}, {resident['miekg/dns']:.1f})"],
             [f"resident memory, {MANY:,} names; after changes", f"{megabytes:.1f} MB; {after:.1f} MB"],
             [f"reading {MANY:,} names at the start", f"{first['read']:.0f} ms, putting them into a table {first['applied']:.0f} ms"],
             ["one host changed: reading the file again", f"{statistics.median(each['read'] for each in times):.1f} ms"],
             ["one host changed: the table updated and in force",
              f"{statistics.median(each['applied'] for each in times):.2f} ms"]]
    return rows(f"DNS: a table of {MANY:,} names", ["what", "lateen"], lines)


def wait_for_reading(log, count):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = re.findall(r"name table read.*", log.read_text())
        if len(found) >= count:
            return {key: float(re.search(key + r"_ms=([\d.]+)", found[count - 1])[1]) for key in ("read", "applied")}
        time.sleep(0.05)
    sys.exit(f"the name table was not read {count} times; see {log}")
