import ArgumentParser
import Foundation
import MeshModel
import MeshSubscribe
import WorkloadIdentity

/// What a proxy of a mesh is told on its command line, beside a workload and as a gateway.
struct ProxyFlags: ParsableArguments {
    @Option(help: ArgumentHelp("The control plane.", valueName: "host:port"))
    var discoveryAddress = "istiod.istio-system.svc:15012"

    @Flag(help: "Speak to the control plane without TLS (its port 15010): no identity, no mutual TLS.")
    var plaintextXds = false

    @Option(help: ArgumentHelp("Roots in PEM that the control plane is checked with.", valueName: "file"))
    var rootCertificate = "/var/run/secrets/istio/root-cert.pem"

    @Option(help: ArgumentHelp("The workload's token, read for each use.", valueName: "file"))
    var tokenFile = "/var/run/secrets/tokens/istio-token"

    @Option(
        help: ArgumentHelp(
            "Where cert-chain.pem, key.pem and root-cert.pem are written, and read after a restart.",
            valueName: "folder"
        )
    )
    var certificateDirectory = "/etc/certs"

    @Flag(help: "Take the certificate from the files of --certificate-directory, which somebody else renews.")
    var certificatesFromFiles = false

    @Option(help: "Trust domain of the workload's identity; the environment's TRUST_DOMAIN if not set.")
    var trustDomain: String?

    @Option(
        help: ArgumentHelp(
            "Where the last good configuration is stored; /var/run/lateen if it can be written, else nowhere.",
            valueName: "folder"
        )
    )
    var stateDirectory: String?

    @Option(help: "Seconds without a control plane until a starting proxy uses the stored configuration.")
    var stateWaitSeconds = 5

    @Option(help: "The workload's DNS domain; NAMESPACE.svc.cluster.local if not set.")
    var domain: String?

    @Option(
        help: ArgumentHelp(
            "Who carries the traffic: lateen, or envoy, which is started and fed by this agent; "
                + "the environment's LATEEN_ENGINE if not set, else lateen.",
            valueName: "lateen|envoy"
        )
    )
    var engine: Engine?

    @Option(
        help: ArgumentHelp(
            "Envoy's program; the environment's ENVOY_BINARY or envoy on PATH if not set.",
            valueName: "file"
        )
    )
    var envoyBinary: String?

    @OptionGroup var runtime: RuntimeFlags

    enum Engine: String, ExpressibleByArgument, CaseIterable { case lateen, envoy }

    func validate() throws {
        guard (0...3600).contains(self.stateWaitSeconds) else {
            throw ValidationError("--state-wait-seconds \(self.stateWaitSeconds) is not between 0 and 3600.")
        }
        _ = try self.discovery()
    }

    /// Runs the proxy until it is told to end.
    func run(role: ProxyRole, answersDNS: Bool) async throws {
        let level = self.runtime.log.level
        startLogging(level)
        let options = try self.options(role: role, answersDNS: answersDNS)
        switch try self.chosenEngine(ProcessInfo.processInfo.environment) {
        case .lateen: try await MeshProxy(options: options, level: level).run()
        case .envoy:
            let binary = try EnvoyProcess.find(self.envoyBinary, ProcessInfo.processInfo.environment)
            try await EnvoyAgent(options: options, binary: binary, level: level).run()
        }
    }

    private func chosenEngine(_ environment: [String: String]) throws -> Engine {
        if let engine = self.engine { return engine }
        guard let name = environment["LATEEN_ENGINE"], !name.isEmpty else { return .lateen }
        guard let engine = Engine(rawValue: name) else {
            throw StartError(
                "LATEEN_ENGINE `\(name)` is none of \(Engine.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        return engine
    }

    /// Everything a proxy needs, once and for all.
    private func options(role: ProxyRole, answersDNS: Bool) throws -> MeshProxy.Options {
        let environment = ProcessInfo.processInfo.environment
        let workload = try WorkloadEnvironment(environment, role: role, domain: self.domain)
        return MeshProxy.Options(
            workload: workload,
            controlPlane: try self.discovery(),
            identity: self.plaintextXds ? nil : try self.identity(of: workload, environment),
            concurrency: self.runtime.threads,
            drainLimit: .seconds(self.runtime.drainSeconds),
            statusAddress: try self.runtime.status(),
            resolvConf: self.runtime.resolvConf,
            dns: try self.runtime.dns.settings(environment),
            answersDNS: answersDNS,
            stateDirectory: try self.usableStateDirectory(),
            stateWait: .seconds(self.stateWaitSeconds)
        )
    }

    private func identity(
        of workload: WorkloadEnvironment,
        _ environment: [String: String]
    ) throws -> ProxyIdentity.Options {
        let domain = self.trustDomain ?? environment["TRUST_DOMAIN"].flatMap { $0.isEmpty ? nil : $0 }
        let account = workload.serviceAccount
        guard
            let identity = WorkloadID(
                trustDomain: domain ?? "cluster.local",
                namespace: workload.namespace,
                serviceAccount: account
            )
        else { throw StartError("SERVICE_ACCOUNT `\(account)` and the trust domain make no identity") }
        let bits = environment["WORKLOAD_RSA_KEY_SIZE"].flatMap { $0.isEmpty ? nil : $0 } ?? "0"
        guard let number = Int(bits), let algorithm = WorkloadKey.Algorithm(rsaBits: number) else {
            throw StartError("WORKLOAD_RSA_KEY_SIZE `\(bits)` is none of 0 (ECDSA), 2048, 3072, 4096")
        }
        return ProxyIdentity.Options(
            identity: identity,
            source: self.certificatesFromFiles ? .files : .issued,
            directory: CertificateDirectory(path: self.certificateDirectory),
            rootFile: self.rootCertificate,
            tokenFile: self.tokenFile,
            algorithm: algorithm,
            lifetime: .seconds(self.runtime.certificateLifetime)
        )
    }

    private func usableStateDirectory() throws -> String? {
        if let wanted = self.stateDirectory {
            guard LastGoodStore.isUsable(wanted) else {
                throw StartError("--state-directory \(wanted) is not writable")
            }
            return wanted
        }
        let usual = "/var/run/lateen"
        return LastGoodStore.isUsable(usual) ? usual : nil
    }

    private func discovery() throws -> HostPort {
        guard let place = HostPort(self.discoveryAddress) else {
            throw ValidationError("--discovery-address \(self.discoveryAddress) is not HOST:PORT or [IPV6]:PORT.")
        }
        return place
    }
}
