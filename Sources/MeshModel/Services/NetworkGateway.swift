/// Where workloads of one network are reached from others: a gateway that leads TLS on by its server name.
package struct NetworkGateway: Hashable, Sendable, Comparable {
    package var address: IPAddress
    package var port: Port

    package init(address: IPAddress, port: Port) {
        self.address = address
        self.port = port
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.address, left.port) < (right.address, right.port)
    }
}
