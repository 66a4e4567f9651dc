package import Foundation
import KubernetesAPI
package import MeshModel

/// A host that stands outside the mesh, in a network namespace of its own.
package struct OutsideHost: Sendable, Hashable {
    package var name: String
    package var hostName: String
    package var address: IPAddress
    package var command: [String]
    package var folder: String
    package var environment: [String: String]
    /// A TCP port that answers when the host is ready.
    package var port: Int?
    /// Programs that must be on this machine, each with the package that has it.
    package var requires: [String: String]
    /// Run on this machine before anything starts, with `LATEEN_DATA` as for `command`; must end soon. A file
    /// `roots.pem` that it leaves in that folder is trusted by pods beside the machine's own roots.
    package var prepare: [String] = []
    /// Answers DNS on port 53; names that are not the cluster's are asked there and not at the machine's servers.
    package var answersDNS = false
}

/// The file that names the hosts outside the mesh.
///
///     hosts:
///     - name: www
///       hostname: www.outside.test       # NAME.outside.test unless set
///       address: 10.215.0.20             # within 10.215.0.0/24
///       command: [/usr/bin/python3, -m, http.server, "80"]
///       env: {}
///       port: 80                         # answers when the host is ready
///       requires: {python3: python3}     # programs, and the packages that have them
///       prepare: [/bin/sh, keys.sh]      # run once before; its $LATEEN_DATA/roots.pem is trusted by pods
///       dns: false                       # is the name server of everything outside
package struct OutsideHosts: Sendable, Hashable {
    package var hosts: [OutsideHost]

    package init(file: URL) throws {
        let text: String
        do {
            text = try String(contentsOf: file, encoding: .utf8)
        } catch {
            throw PlatformError("cannot read \(file.path): \(error.localizedDescription)")
        }
        try self.init(text: text, file: file.path, folder: file.deletingLastPathComponent().standardizedFileURL.path)
    }

    /// Parses the text of a file; `file` is named in errors, commands are run in `folder`.
    package init(text: String, file: String, folder: String) throws {
        let document: JSONValue
        do { document = try YAML.parse(text, file: file) } catch { throw PlatformError("\(error)") }
        guard let range = CIDR(PlatformNetwork.outsideRange) else { throw PlatformError("no range") }
        var hosts: [OutsideHost] = []
        for (index, entry) in (document["hosts"]?.array ?? []).enumerated() {
            func fail(_ problem: String) -> PlatformError { PlatformError("\(file): hosts[\(index)]: \(problem)") }
            guard let name = entry["name"]?.string, !name.isEmpty,
                name.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 45 })
            else { throw fail("`name` must be lower-case letters, digits and `-`") }
            guard let address = entry["address"]?.string.flatMap({ IPAddress($0) }), range.contains(address),
                address.description != PlatformNetwork.outsideGateway
            else { throw fail("`address` must lie in \(range) and not be \(PlatformNetwork.outsideGateway)") }
            let command = (entry["command"]?.array ?? []).compactMap(\.string)
            guard !command.isEmpty else { throw fail("`command` must be a list of texts") }
            if hosts.contains(where: { $0.address == address || $0.name == name }) {
                throw fail("name or address is taken by another host")
            }
            hosts.append(
                OutsideHost(
                    name: name,
                    hostName: entry["hostname"]?.string ?? "\(name).\(PlatformNetwork.outsideZone)",
                    address: address,
                    command: command,
                    folder: folder,
                    environment: entry["env"]?.stringMap ?? [:],
                    port: entry["port"]?.int,
                    requires: entry["requires"]?.stringMap ?? [:],
                    prepare: (entry["prepare"]?.array ?? []).compactMap(\.string),
                    answersDNS: entry["dns"]?.bool ?? false
                )
            )
        }
        self.hosts = hosts
    }

    /// Adds the hosts of another file.
    ///
    /// - Parameter file: a file of the same form.
    /// - Throws: `PlatformError` if the file is malformed, or a name or address is taken already.
    package mutating func add(file: URL) throws {
        for host in try OutsideHosts(file: file).hosts {
            if let other = self.hosts.first(where: { $0.address == host.address || $0.name == host.name }) {
                throw PlatformError("\(file.path): \(host.name): name or address is taken by host \(other.name)")
            }
            self.hosts.append(host)
        }
    }
}
