package import DNSWire
package import MeshModel
internal import Synchronization

/// Which name an application last looked up to get an address: blocked traffic is reported by that name.
///
/// Filled by the DNS server's loop and read by all others. It forgets the address that came first when full.
package final class RecentNames: Sendable {
    private struct State {
        var names: [IPAddress: DNSName] = [:]
        /// The addresses in the order of their first coming, as a ring from `oldest` on.
        var order: [IPAddress] = []
        var oldest = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: how many addresses are kept; the default takes about half a megabyte.
    package init(limit: Int = 4096) {
        precondition(limit > 0)
        self.limit = limit
    }

    /// Notes that a lookup of `name` gave `address`.
    package func record(_ name: DNSName, for address: IPAddress) {
        self.state.withLock { state in
            if state.names.updateValue(name, forKey: address) != nil { return }
            if state.order.count < self.limit {
                state.order.append(address)
            } else {
                state.names[state.order[state.oldest]] = nil
                state.order[state.oldest] = address
                state.oldest = (state.oldest + 1) % self.limit
            }
        }
    }

    /// The name, in lower case; `nil` if none was looked up, or long ago.
    package func name(of address: IPAddress) -> String? {
        self.state.withLock { $0.names[address] }?.lowercased.description
    }

    package var count: Int { self.state.withLock { $0.names.count } }
}
