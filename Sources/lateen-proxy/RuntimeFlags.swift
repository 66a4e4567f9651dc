import ArgumentParser
import Foundation
import MeshModel

/// What every proxy of a mesh is told about how it shall run, in a pod and on a machine.
struct RuntimeFlags: ParsableArguments {
    @Option(help: "Worker threads; 0: one for each core.")
    var concurrency = 2

    @Option(help: "Seconds that open connections may take to end after SIGTERM.")
    var drainSeconds = 5

    @Option(help: "Address of the metrics and readiness ports.")
    var statusAddress = "0.0.0.0"

    @Option(help: "Seconds of life that certificates are asked for.")
    var certificateLifetime = 86_400

    @Option(help: "Where queries for names outside the mesh go: the servers of this file.")
    var resolvConf = "/etc/resolv.conf"

    @OptionGroup var dns: DNSFlags
    @OptionGroup var log: LogOptions

    func validate() throws {
        guard (0...256).contains(self.concurrency) else {
            throw ValidationError("--concurrency \(self.concurrency) is not between 0 and 256.")
        }
        guard (0...3600).contains(self.drainSeconds) else {
            throw ValidationError("--drain-seconds \(self.drainSeconds) is not between 0 and 3600.")
        }
        guard (60...31_536_000).contains(self.certificateLifetime) else {
            throw ValidationError("--certificate-lifetime \(self.certificateLifetime) is not between 60 and 31536000.")
        }
        _ = try self.status()
    }

    var threads: Int { self.concurrency == 0 ? ProcessInfo.processInfo.activeProcessorCount : self.concurrency }

    func status() throws -> IPAddress {
        guard let address = IPAddress(self.statusAddress) else {
            throw ValidationError("--status-address \(self.statusAddress) is no IP address.")
        }
        return address
    }
}
