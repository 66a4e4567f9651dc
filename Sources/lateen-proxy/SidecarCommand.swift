import AdminServer
import ArgumentParser
import DNSProxy
import Foundation
import Logging
import MeshModel
import MeshSubscribe
import ProxyRuntime
import TrafficEngine

/// Runs beside a workload, configured by a control plane.
struct SidecarCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sidecar",
        abstract: "Run beside a workload.",
        discussion: "Reads POD_NAME, POD_NAMESPACE, INSTANCE_IP, SERVICE_ACCOUNT and ISTIO_METAJSON_LABELS."
    )

    @Option(help: ArgumentHelp("The control plane.", valueName: "host:port"))
    var discoveryAddress = "istiod.istio-system.svc:15010"

    @Option(help: "The workload's DNS domain; NAMESPACE.svc.cluster.local if not set.")
    var domain: String?

    @Option(help: "Worker threads; 0: one for each core.")
    var concurrency = 2

    @Option(help: "Seconds that open connections may take to end after SIGTERM.")
    var drainSeconds = 5

    @Option(help: "Address of the metrics and readiness ports.")
    var statusAddress = "0.0.0.0"

    @Option(help: "Where queries for names outside the mesh go: the servers of this file.")
    var resolvConf = "/etc/resolv.conf"

    @Flag(inversion: .prefixedNo, help: "Answer DNS queries on 127.0.0.1:15053.")
    var dns = true

    @OptionGroup var log: LogOptions

    func validate() throws {
        guard (0...256).contains(self.concurrency) else {
            throw ValidationError("--concurrency \(self.concurrency) is not between 0 and 256.")
        }
        guard (0...3600).contains(self.drainSeconds) else {
            throw ValidationError("--drain-seconds \(self.drainSeconds) is not between 0 and 3600.")
        }
        guard IPAddress(self.statusAddress) != nil else {
            throw ValidationError("--status-address \(self.statusAddress) is no IP address.")
        }
        _ = try self.discovery()
    }

    func run() async throws {
        let level = self.log.level
        startLogging(level)
        let (host, port) = try self.discovery()
        guard let status = IPAddress(self.statusAddress) else { return }
        let workload = try WorkloadEnvironment(ProcessInfo.processInfo.environment, domain: self.domain)
        let sidecar = Sidecar(
            options: Sidecar.Options(
                workload: workload,
                controlPlane: (host, port),
                concurrency: self.concurrency == 0 ? ProcessInfo.processInfo.activeProcessorCount : self.concurrency,
                drainLimit: .seconds(self.drainSeconds),
                statusAddress: status,
                resolvConf: self.resolvConf,
                answersDNS: self.dns
            ),
            level: level
        )
        try await sidecar.run()
    }

    /// `host:port`
    private func discovery() throws -> (host: String, port: Int) {
        let parts = self.discoveryAddress.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let port = Port(Int(parts[1]) ?? 0) else {
            throw ValidationError("--discovery-address \(self.discoveryAddress) is no host:port.")
        }
        return (String(parts[0]), Int(port.number))
    }
}
