internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// An address of a configuration.
enum AddressBuilder {
    /// An IP address and a port; `allowsName` false.
    static func address(
        _ message: Envoy_Config_Core_V3_Address,
        at path: String,
        _ findings: inout Findings
    ) -> NetworkAddress? {
        guard let (host, port) = Self.hostAndPort(message, at: path, &findings) else { return nil }
        guard let ip = IPAddress(host) else {
            findings.add("\(path).socket_address.address", "`\(host)` is no IP address")
            return nil
        }
        return NetworkAddress(ip: ip, port: port)
    }

    /// A name or an IP address as text, and a port.
    static func hostAndPort(
        _ message: Envoy_Config_Core_V3_Address,
        at path: String,
        _ findings: inout Findings
    ) -> (host: String, port: UInt16)? {
        guard case .socketAddress(let socket) = message.address else {
            // Another kind has been named by the audit of fields.
            if message.address == nil { findings.add(path, "socket_address is needed") }
            return nil
        }
        if socket.protocol != .tcp { findings.add("\(path).socket_address.protocol", "only TCP is supported") }
        guard let port = UInt16(exactly: socket.portValue) else {
            findings.add("\(path).socket_address.port_value", "\(socket.portValue) is no port; 0 to 65535 are")
            return nil
        }
        return (socket.address, port)
    }

    static func blocks(
        _ messages: [Envoy_Config_Core_V3_CidrRange],
        at path: String,
        _ findings: inout Findings
    ) -> [CIDR] {
        var blocks: [CIDR] = []
        for (index, range) in messages.enumerated() {
            let length = Int(range.prefixLen.value)
            guard let ip = IPAddress(range.addressPrefix), let block = CIDR(address: ip, prefixLength: length) else {
                findings.add("\(path)[\(index)]", "`\(range.addressPrefix)/\(length)` is no block of addresses")
                continue
            }
            blocks.append(block)
        }
        return blocks
    }
}
