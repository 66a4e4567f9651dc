import Foundation
import Glibc

/// Looks, before anything is started, whether this machine can run the platform.
package struct Preflight: Sendable {
    /// Programs that the platform runs, with the Debian packages that have them.
    private static let programs = [
        ("bwrap", "bubblewrap"), ("ip", "iproute2"), ("iptables", "iptables"), ("iptables-restore", "iptables"),
        ("iptables-save", "iptables"), ("setpriv", "util-linux"), ("kubectl", "kubectl"),
    ]

    /// Capabilities that are needed, by their number and name.
    private static let capabilities: [(Int, String)] = [
        (12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN"), (7, "CAP_SETUID"), (6, "CAP_SETGID"), (18, "CAP_SYS_CHROOT"),
    ]

    /// Throws a sentence about the first thing that is missing.
    package static func checkRights() throws {
        guard geteuid() == 0 else {
            throw PlatformError(
                "lateen up must run as root: it makes network namespaces and firewall rules; try `sudo lateen up`"
            )
        }
        let status = ProcFile.read("/proc/self/status") ?? ""
        let effective = Self.effective(inStatus: status)
        for (number, name) in Self.capabilities where effective & (1 << UInt64(number)) == 0 {
            throw PlatformError(
                "root lacks \(name) here: run lateen on a machine of its own, or in a container with `--privileged`"
            )
        }
    }

    package static func effective(inStatus status: String) -> UInt64 {
        for line in status.split(separator: "\n") where line.hasPrefix("CapEff:") {
            return UInt64(line.dropFirst(7).drop(while: \.isWhitespace), radix: 16) ?? 0
        }
        return 0
    }

    /// All programs that are missing, each with its cure.
    package static func checkPrograms(outside: OutsideHosts) throws {
        var missing: [(program: String, package: String)] = Self.programs.filter { !Self.has($0.0) }
        for host in outside.hosts {
            for (program, package) in host.requires.sorted(by: { $0.key < $1.key }) where !Self.has(program) {
                missing.append((program, package))
            }
        }
        guard !missing.isEmpty else { return }
        let names = missing.map(\.program).joined(separator: ", ")
        let packages = Array(Set(missing.map(\.package))).sorted().joined(separator: " ")
        throw PlatformError(
            "\(missing.count == 1 ? "a program is" : "programs are") missing: \(names); "
                + "install with: apt-get install \(packages)"
        )
    }

    /// Daemons live in `sbin`, which is not on every root's PATH although the `bin` beside it is.
    private static func has(_ program: String) -> Bool {
        var folders = (getenv("PATH").map { String(cString: $0) } ?? Tool.searchPath).split(separator: ":").map(
            String.init
        )
        for folder in folders where folder.hasSuffix("/bin") { folders.append(folder.dropLast(3) + "sbin") }
        return Tool.find(program, path: folders.joined(separator: ":")) != nil
    }

    /// Whether the API server's port is free; the sentence names who has it, if that can be seen.
    package static func checkPort(_ port: Int) async throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result != 0 else { return }
        let listing = (try? await Tool.run(["ss", "-H", "-ltnp", "sport = :\(port)"])) ?? ""
        let who = Self.owner(inListing: listing).map { " by \($0)" } ?? ""
        throw PlatformError(
            "port \(port) of 127.0.0.1 is in use\(who): the API server needs it; stop that program and try again"
        )
    }

    /// `users:(("python3",pid=42,fd=3))` becomes `python3 (pid 42)`.
    package static func owner(inListing listing: String) -> String? {
        guard let start = listing.range(of: "users:((\"") else { return nil }
        let rest = listing[start.upperBound...]
        guard let quote = rest.firstIndex(of: "\""), let pid = rest.range(of: "pid=") else { return nil }
        return "\(rest[..<quote]) (pid \(rest[pid.upperBound...].prefix { $0.isNumber }))"
    }
}
