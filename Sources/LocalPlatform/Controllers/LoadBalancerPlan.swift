package import KubernetesAPI
import MeshModel

/// Which Services of type LoadBalancer get which address: those that have one keep it, whatever others come and go.
package struct LoadBalancerPlan {
    /// Services whose status must change, with the address to write; `nil`: it has one and must not.
    package private(set) var changes: [(service: KubernetesObject, address: String?)] = []
    /// Services for which no address is left.
    package private(set) var unserved: [String] = []

    /// - Parameters:
    ///   - services: all Services.
    ///   - range: where addresses come from, `a.b.c.0/24`; its first and last are not given.
    package init(services: [KubernetesObject], range: String) {
        guard let range = CIDR(range), case .v4(let base) = range.network, range.prefixLength <= 30 else { return }
        let last = base + (UInt32(1) << UInt32(32 - range.prefixLength)) - 2
        func held(_ service: KubernetesObject) -> IPAddress? {
            let first = service.status[path: "loadBalancer", "ingress"]?.array?.first
            return first?["ip"]?.string.flatMap { IPAddress($0) }
        }
        var taken: Set<IPAddress> = []
        var waiting: [KubernetesObject] = []
        for service in services.sorted(by: { ($0.createdAt, $0.key) < ($1.createdAt, $1.key) }) {
            guard !service.isBeingDeleted else { continue }
            let wants = service.spec["type"]?.string == "LoadBalancer"
            if wants, let address = held(service), range.contains(address), taken.insert(address).inserted { continue }
            if wants { waiting.append(service) } else if held(service) != nil { self.changes.append((service, nil)) }
        }
        for service in waiting {
            guard let free = (base + 1...last).lazy.map(IPAddress.v4).first(where: { !taken.contains($0) }) else {
                self.unserved.append("\(service.key)")
                continue
            }
            taken.insert(free)
            self.changes.append((service, free.description))
        }
    }
}
