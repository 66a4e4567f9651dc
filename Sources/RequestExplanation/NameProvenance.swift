package import MeshModel
import MeshTranslate
package import XDSAPI

/// The name table of one proxy, and which objects its names come from.
package struct NameProvenance {
    package let table: Istio_Networking_Nds_V1_NameTable
    private let source: Provenance
    private let namespace: String

    /// `nil` if there is no such pod with a proxy.
    ///
    /// - Parameters:
    ///   - pod: the workload beside the proxy, or a gateway's pod.
    ///   - snapshot: what the control plane knows now.
    package init?(of pod: ObjectID, in snapshot: MeshSnapshot) {
        let source = Provenance(snapshot: snapshot)
        guard let workload = snapshot.workloads.values.first(where: { $0.id == pod }),
            let proxy = source.proxy(of: workload)
        else { return nil }
        self.table = Translator.resources(of: proxy, in: snapshot).nameTable
        self.source = source
        self.namespace = pod.namespace
    }

    /// The objects that made the record of a host of the table, `Service ns1/productpage@12`; the one that names it
    /// first. A name below a wildcard comes from the wildcard's object.
    package func objects(of host: String) -> [String] {
        let visible = self.source.snapshot.services.filter { service in
            service.visibility.includes(self.namespace) && service.host.text == host
        }
        var found: [ObjectReference] = []
        for service in visible where !found.contains(service.source) { found.append(service.source) }
        if found.isEmpty, let service = self.source.service(host, seenFrom: self.namespace) { found = [service.source] }
        return found.map { reference in
            reference.description + (self.source.version(reference).map { "@\($0)" } ?? "")
        }
    }
}
