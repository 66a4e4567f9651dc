internal import Foundation
package import MeshModel

/// What a machine outside the cluster joins the mesh with: a folder that `lateen vm bootstrap` writes and
/// `lateen-proxy vm` reads.
///
/// `cluster.env` says who the machine is and where the control plane is, under Istio's names; `istio-token` proves it
/// once, `root-cert.pem` is what the control plane is checked with, and `probe.json`, where it is, says how to tell
/// whether the workload is well.
package struct MachineBundle: Sendable, Equatable {
    package enum File {
        package static let environment = "cluster.env"
        package static let token = "istio-token"
        package static let root = "root-cert.pem"
        package static let hosts = "hosts"
        package static let probe = "probe.json"
        package static let readme = "README.md"
    }

    /// Names of variables that Istio has none for.
    enum Variable {
        static let controlPlane = "LATEEN_CONTROL_PLANE"
        static let controlPlaneName = "LATEEN_CONTROL_PLANE_NAME"
        static let domain = "LATEEN_DNS_DOMAIN"
    }

    /// Why a folder is no bundle, for the person who said it.
    package struct Malformed: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    package let folder: String
    /// Of `cluster.env`.
    package private(set) var variables: [String: String]

    /// Reads a bundle; of its token see ``checkToken()``.
    ///
    /// - Throws: `Malformed`, which names the file that is missing or wrong.
    package init(folder: String) throws {
        let folder = folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
        for name in [File.environment, File.root] { try Self.check("\(folder)/\(name)") }
        let text: String
        do {
            text = try String(contentsOfFile: "\(folder)/\(File.environment)", encoding: .utf8)
        } catch {
            throw Malformed(description: "\(folder)/\(File.environment): \(error.localizedDescription)")
        }
        try self.init(folder: folder, text: text)
    }

    private static func check(_ path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else {
            throw Malformed(
                description: "\(path) is missing, or its folder cannot be entered: make a bundle with "
                    + "`lateen vm bootstrap`, and copy all of it to the machine"
            )
        }
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw Malformed(description: "\(path) cannot be read by user \(getuid()): give it to that user")
        }
    }

    /// Demands the token. A machine that has a certificate does without: one that is spent may be thrown away.
    ///
    /// - Throws: `Malformed`, if it is missing or cannot be read.
    package func checkToken() throws { try Self.check(self.tokenPath) }

    package var hasToken: Bool { FileManager.default.fileExists(atPath: self.tokenPath) }

    /// Parses the text of `cluster.env`: `NAME=value` or `NAME='value'` in each line, as a shell reads it.
    package init(folder: String, text: String) throws {
        self.folder = folder
        self.variables = [:]
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let sign = line.firstIndex(of: "="), sign != line.startIndex else {
                throw Malformed(description: "\(folder)/\(File.environment): line \(index + 1) is not NAME='value'")
            }
            var value = String(line[line.index(after: sign)...])
            if value.count >= 2, value.hasPrefix("'"), value.hasSuffix("'") {
                value = String(value.dropFirst().dropLast()).replacing("'\\''", with: "'")
            }
            self.variables[String(line[..<sign])] = value
        }
    }

    package var tokenPath: String { "\(self.folder)/\(File.token)" }
    package var rootPath: String { "\(self.folder)/\(File.root)" }

    /// The control plane, `host:port`; empty if it is not said.
    package var controlPlane: String { self.variables[Variable.controlPlane] ?? "" }

    /// What the control plane's certificate is for, whatever address it is dialled at.
    package var controlPlaneName: String? { Self.text(self.variables[Variable.controlPlaneName]) }

    /// The first search domain that a pod of the namespace would have.
    package var domain: String? {
        Self.text(self.variables["POD_NAMESPACE"]).map { namespace in
            "\(namespace).svc.\(Self.text(self.variables[Variable.domain]) ?? "cluster.local")"
        }
    }

    package var trustDomain: String { Self.text(self.variables["TRUST_DOMAIN"]) ?? "cluster.local" }

    /// How to tell whether the workload is well; `nil`: nobody asks.
    package func probe() throws -> [UInt8]? {
        let path = "\(self.folder)/\(File.probe)"
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Malformed(description: "\(path) cannot be read by user \(getuid()): give it to that user")
        }
        return Array(data)
    }

    /// The environment of a pod's proxy, for this machine.
    ///
    /// - Parameters:
    ///   - name: instead of the bundle's.
    ///   - address: instead of the bundle's.
    ///   - ownAddress: finds the machine's address where nobody says it.
    /// - Returns: the variables of a pod's proxy.
    /// - Throws: what `ownAddress` throws.
    package func environment(
        name: String?,
        address: String?,
        ownAddress: () throws -> IPAddress
    ) throws -> [String: String] {
        var environment = self.variables
        let address = try address ?? Self.text(environment["INSTANCE_IP"]) ?? ownAddress().description
        environment["INSTANCE_IP"] = address
        // One entry for each machine of a group: Istio's way to name them.
        let group = environment["ISTIO_META_AUTO_REGISTER_GROUP"] ?? "vm"
        environment["POD_NAME"] =
            name ?? Self.text(environment["POD_NAME"]) ?? "\(group)-\(address.replacing(":", with: "-"))"
        return environment
    }

    private static func text(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }
}
