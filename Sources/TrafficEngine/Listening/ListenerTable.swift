internal import MeshModel

/// Finds the listener of an original destination: exact address and port, else the unspecified address and that port.
///
/// Listeners that themselves pass connections on are left out, so that a connection cannot be handed round in a circle.
package struct ListenerTable: Sendable {
    private var listeners: [NetworkAddress: Listener] = [:]

    /// Of two listeners at one address the first counts.
    package init(_ listeners: [Listener]) {
        for listener in listeners where !listener.usesOriginalDestination {
            self.listeners[listener.address] = self.listeners[listener.address] ?? listener
        }
    }

    package func listener(for originalDestination: NetworkAddress) -> Listener? {
        if let exact = self.listeners[originalDestination] { return exact }
        let port = originalDestination.port
        let any6 = NetworkAddress(ip: .v6(high: 0, low: 0), port: port)
        switch originalDestination.ip {
        case .v4: return self.listeners[NetworkAddress(ip: .v4(0), port: port)] ?? self.listeners[any6]
        case .v6: return self.listeners[any6]
        }
    }
}
