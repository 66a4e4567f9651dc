import DNSProxy
import DNSWire
import MeshModel
import SwiftProtobuf
import XDSAPI

/// Reads what a name table in JSON says about one name: the proto3 JSON of the message that the control plane sends.
enum NameTableDecoding {
    typealias Info = Istio_Networking_Nds_V1_NameTable.NameInfo

    static func host(_ piece: NameTableFile.Piece) throws(NameTableText.Fault) -> DNSHost {
        let info: Info
        do {
            info = try Self.info(piece.text, piece.range)
        } catch {
            throw Self.fault(error, piece)
        }
        var host = DNSHost(name: piece.name, addresses: [], registry: Self.registry(piece.name, info))
        for (index, ip) in info.ips.enumerated() {
            guard let address = IPAddress(ip) else {
                throw piece.fault(
                    at: Self.place("ips", piece),
                    ".ips[\(index)]",
                    "\"\(ip)\" is no IPv4 or IPv6 address"
                )
            }
            host.addresses.append(address)
        }
        for (index, port) in info.ports.enumerated() {
            guard let number = UInt16(exactly: port.port), number > 0 else {
                throw piece.fault(at: Self.place("ports", piece), ".ports[\(index)].port", "\(port.port) is no port")
            }
            let transport = port.transport.isEmpty ? "tcp" : port.transport
            host.ports.append(DNSHost.NamedPort(name: port.name, transport: transport, port: number))
        }
        if !info.alias.isEmpty {
            guard DNSName(info.alias) != nil else {
                throw piece.fault(at: Self.place("alias", piece), ".alias", "\"\(info.alias)\" is no domain name")
            }
            host.alias = info.alias
        }
        for label in info.instances {
            // Each has an entry of its own, where a mistake is reported; without it there is no instance.
            guard let range = piece.other("\(label).\(piece.name)"), let own = try? Self.info(piece.text, range) else {
                continue
            }
            host.instances[label] = own.ips.lazy.compactMap { IPAddress($0) }.first
        }
        return host
    }

    private static func info(_ text: NameTableText, _ range: Range<Int>) throws -> Info {
        try Info(jsonUTF8Bytes: Array(text.bytes[range]))
    }

    /// Where a field begins.
    private static func place(_ field: String, _ piece: NameTableFile.Piece) -> Int {
        piece.text.members(of: piece.range).first { $0.key == field }?.start ?? piece.range.lowerBound
    }

    /// A Service is also known by short names. A table written by hand may leave out what its name says already.
    private static func registry(_ name: String, _ info: Info) -> DNSHost.Registry {
        guard info.registry == "Kubernetes" else { return .external }
        let labels = name.split(separator: ".")
        if info.shortname.isEmpty, info.namespace.isEmpty, labels.count > 3, labels[2] == "svc" {
            return .kubernetes(name: String(labels[0]), namespace: String(labels[1]))
        }
        return .kubernetes(name: info.shortname, namespace: info.namespace)
    }

    /// Which field it was: each of them is read on its own.
    private static func fault(_ error: any Error, _ piece: NameTableFile.Piece) -> NameTableText.Fault {
        let text = piece.text
        let start = piece.range.lowerBound
        guard text.bytes[start] == UInt8(ascii: "{") else {
            return piece.fault(at: start, "", "must be an object such as {\"ips\": [\"10.0.0.1\"]}")
        }
        for member in text.members(of: piece.range) {
            let alone = Array("{\"\(member.key)\":".utf8) + text.bytes[member.value] + Array("}".utf8)
            do { _ = try Info(jsonUTF8Bytes: alone) } catch JSONDecodingError.unknownField(let name)
                where name == member.key
            {
                let known = "ips, registry, shortname, namespace, ports, alias and instances"
                return piece.fault(at: member.start, ".\(member.key)", "there is no such field; known are \(known)")
            } catch {
                let wanted = Self.forms[member.key] ?? "a text in quotes"
                return piece.fault(at: member.value.lowerBound, ".\(member.key)", "must be \(wanted)")
            }
        }
        return piece.fault(at: start, "", "cannot be read: \(error)")
    }

    /// What fields that are no text look like.
    private static let forms = [
        "ips": "a list of addresses in quotes",
        "ports": "a list of objects such as {\"name\": \"http\", \"port\": 80}",
        "instances": "a list of labels in quotes",
    ]
}
