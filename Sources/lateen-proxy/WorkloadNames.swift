import DNSProxy
import MeshModel
import MeshSubscribe

/// The table that a workload's DNS answers from, brought up to date host by host.
actor WorkloadNames {
    private var viewpoint: DNSViewpoint
    private var table: DNSTable
    /// Until the control plane has said something the server must not believe that there is nothing.
    private var isReady = false

    init(viewpoint: DNSViewpoint) {
        self.viewpoint = viewpoint
        self.table = DNSTable(hosts: [], viewpoint: viewpoint)
    }

    /// Takes an update over and gives the server the table as it is then.
    func apply(_ update: NameTableUpdate, to server: DNSServer) async {
        self.table = self.table.updating(
            changed: update.changed.values.map { DNSHost($0) },
            removed: Array(update.removed)
        )
        self.isReady = true
        await server.update(self.table)
    }

    /// The workload has other search domains.
    func use(search: [String], for server: DNSServer) async {
        self.viewpoint.search = search
        self.table = self.table.seen(from: self.viewpoint)
        if self.isReady { await server.update(self.table) }
    }
}

extension DNSHost {
    init(_ entry: NameTableEntry) {
        self.init(
            name: entry.name,
            addresses: entry.addresses,
            registry: entry.registry == "Kubernetes"
                ? .kubernetes(name: entry.shortName, namespace: entry.namespace) : .external,
            ports: entry.ports.map { NamedPort(name: $0.name, transport: $0.transport, port: $0.port) },
            alias: entry.alias,
            instances: entry.instances.compactMapValues(\.first)
        )
    }
}
