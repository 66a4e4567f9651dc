import KubernetesAPI
import MeshModel

extension AddressClaim {
    /// `false` keeps the hosts of an entry without addresses.
    static let labelName = "networking.istio.io/enable-autoallocate-ip"

    /// What an entry, whose spec has been read, says about addresses.
    ///
    /// Where the dialled address is where traffic goes (NONE), and where datagrams are sent, which pass the proxy by, an
    /// address that nobody has leads nowhere; a wildcard is no name that could have one.
    init(
        _ object: KubernetesObject,
        hosts: [HostName],
        addresses: [CIDR],
        ports: [ServicePort],
        resolution: Resolution
    ) {
        let isWanting =
            addresses.isEmpty && resolution != .originalDestination
            && !ports.contains { $0.applicationProtocol == .udp }
            && object.labels[Self.labelName]?.lowercased() != "false"
        self.init(
            entry: ObjectID(object),
            createdAt: object.createdAt,
            hosts: hosts,
            wanting: isWanting ? Set(hosts.filter { !$0.isWildcard }) : [],
            held: Self.grants(in: object.status)
        )
    }

    /// What of `status.addresses` can be read; it was written by a program, and what is wrong there is written anew.
    private static func grants(in status: JSONValue) -> [AddressGrant] {
        (status["addresses"]?.array ?? []).compactMap { entry in
            guard let host = entry["host"]?.string.flatMap(HostName.init),
                let address = entry["value"]?.string.flatMap(IPAddress.init)
            else { return nil }
            return AddressGrant(host: host, address: address)
        }
    }
}
