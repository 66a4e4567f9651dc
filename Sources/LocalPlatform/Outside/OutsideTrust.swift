import Foundation

/// The roots that pods trust: the machine's own and those that outside hosts brought along.
struct OutsideTrust: Sendable {
    let state: StateFolder

    /// The machine's bundle, where programs look for it (Debian's `ca-certificates`).
    static let machineBundle = "/etc/ssl/certs/ca-certificates.crt"

    /// Runs what hosts have to be prepared with, one after the other.
    func prepare(_ hosts: [OutsideHost]) async throws {
        for host in hosts where !host.prepare.isEmpty {
            let data = self.state.outside.appendingPathComponent(host.name)
            try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
            let variables = [
                "LATEEN_DATA=\(data.path)", "LATEEN_ADDRESS=\(host.address)", "LATEEN_HOST=\(host.hostName)",
            ]
            do {
                try await Tool.run(["env", "-C", host.folder] + variables + host.prepare)
            } catch {
                throw PlatformError("cannot prepare the outside host \(host.name): \(error)")
            }
        }
    }

    /// The file that replaces the machine's bundle in pods; `nil` if that is to stay as it is.
    func bundle(of hosts: [OutsideHost]) throws -> String? {
        let files = hosts.map { self.state.outside.appendingPathComponent($0.name).appendingPathComponent("roots.pem") }
        let roots = files.compactMap { FileManager.default.contents(atPath: $0.path) }
        guard !roots.isEmpty, let machine = FileManager.default.contents(atPath: Self.machineBundle) else { return nil }
        let file = self.state.outside.appendingPathComponent("ca-certificates.crt")
        try (roots.reduce(machine + Data("\n".utf8)) { $0 + $1 }).write(to: file, options: .atomic)
        return file.path
    }
}
