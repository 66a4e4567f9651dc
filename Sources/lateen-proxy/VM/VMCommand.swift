import ArgumentParser
import DNSProxy
import Foundation
import HealthProbing
import MachineBundle
import MeshModel
import MeshSubscribe
import WorkloadIdentity

/// Runs beside a workload on a machine outside the cluster.
struct VMCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vm",
        abstract: "Run beside a workload on a machine outside the cluster, from a bundle.",
        discussion: """
            `lateen vm bootstrap` makes the bundle. With --intercept, as root, the machine's traffic and its DNS \
            queries are led through the proxy as soon as it is ready, and as before when it ends; the proxy itself \
            runs as --user. Without it nothing is redirected: applications are told to use the DNS server and ports \
            of the proxy.
            """
    )

    @OptionGroup var flags: VMFlags

    @Flag(help: "Lead the machine's traffic through the proxy while it runs; needs root.")
    var intercept = false

    @OptionGroup(title: "Interception") var interception: VMInterceptionFlags

    /// Set by the process that supervises this one: end when standard input does.
    @Flag(help: .hidden) var supervised = false

    func validate() throws {
        _ = try self.flags.listening()
        if self.intercept, self.supervised { throw ValidationError("--intercept and --supervised exclude each other.") }
    }

    func run() async throws {
        let user = try self.flags.user.map { try ProxyUser($0) } ?? ProxyUser()
        if self.intercept {
            let (flags, interception) = (self.flags, self.interception)
            try await VMSupervisor(user: user, flags: flags) { try interception.rules(user: user, dns: flags) }.run()
            return
        }
        if self.supervised || self.flags.user != nil {
            if getuid() == 0 { try self.flags.prepare(for: user) }
            try user.become()
        }
        let level = self.flags.runtime.log.level
        startLogging(level)
        var options = try self.flags.options()
        options.isSupervised = self.supervised
        try await MeshProxy(options: options, level: level).run()
    }
}

/// Flags of the proxy on a machine, with and without interception.
struct VMFlags: ParsableArguments {
    @Option(help: ArgumentHelp("The folder that `lateen vm bootstrap` made.", valueName: "folder"))
    var bundle: String

    @Option(help: "The machine's address; if the bundle has none, the one by which it reaches the control plane.")
    var address: String?

    @Option(help: "The machine's name, that of its WorkloadEntry; GROUP-ADDRESS if the bundle has none.")
    var name: String?

    @Option(help: ArgumentHelp("The control plane, instead of the bundle's.", valueName: "host:port"))
    var controlPlane: String?

    @Option(help: ArgumentHelp("Who the proxy runs as, a name or UID:GID; 1337:1337 if not set.", valueName: "user"))
    var user: String?

    @Option(
        help: ArgumentHelp(
            "Where DNS queries are answered; port \(MeshPorts.dns) on loopback if not set.",
            valueName: "address:port"
        )
    )
    var dnsListen: String?

    @Option(help: ArgumentHelp("Where certificate and key are kept across restarts.", valueName: "folder"))
    var certificateDirectory = "/var/lib/lateen-proxy/certificates"

    @Option(help: ArgumentHelp("Where the last good configuration is kept.", valueName: "folder"))
    var stateDirectory = "/var/lib/lateen-proxy/state"

    @OptionGroup var runtime: RuntimeFlags

    func validate() throws {
        if let address, IPAddress(address) == nil {
            throw ValidationError("--address \(address) is no IP address.")
        }
    }

    /// Where DNS is answered; `nil`: on loopback, in each family that there is.
    func listening() throws -> DNSServer.Options? {
        guard let text = self.dnsListen else { return nil }
        let place = try Self.place(text, of: "--dns-listen")
        guard let address = IPAddress(place.host) else {
            throw ValidationError("--dns-listen \(text): \(place.host) is no IP address.")
        }
        return DNSServer.Options(addresses: [address], port: place.port.number)
    }

    /// Lets a user read what it needs of the bundle, and write what it keeps; needs root.
    func prepare(for user: ProxyUser) throws {
        let bundle = try MachineBundle(folder: self.bundle)
        try user.letEnter(bundle.folder)
        if bundle.hasToken { try user.give(bundle.tokenPath) }
        for folder in [self.certificateDirectory, self.stateDirectory] { try user.make(folder) }
    }

    private static func hasCertificate(
        _ directory: CertificateDirectory,
        of identity: WorkloadID,
        _ bundle: MachineBundle
    ) -> Bool {
        do {
            return try StoredCertificate(
                in: directory,
                identity: identity,
                meshRoots: CertificateDirectory.read(bundle.rootPath) ?? [],
                now: Date().timeIntervalSince1970
            ) != nil
        } catch {
            return false  // a new one is asked for with the token; the keeper says what is wrong with the old one
        }
    }

    /// Everything a proxy needs, once and for all.
    func options() throws -> MeshProxy.Options {
        let bundle = try MachineBundle(folder: self.bundle)
        let controlPlane = try Self.place(
            self.controlPlane ?? bundle.controlPlane,
            of: self.controlPlane == nil ? "\(self.bundle)/cluster.env: LATEEN_CONTROL_PLANE" : "--control-plane"
        )
        let environment = try bundle.environment(name: self.name, address: self.address) {
            try OwnAddress.towards(controlPlane.host, port: Int(controlPlane.port.number))
        }
        let workload = try WorkloadEnvironment(environment, role: .sidecar, domain: bundle.domain)
        guard
            let identity = WorkloadID(
                trustDomain: bundle.trustDomain,
                namespace: workload.namespace,
                serviceAccount: workload.serviceAccount
            )
        else { throw StartError("SERVICE_ACCOUNT and TRUST_DOMAIN of \(self.bundle)/cluster.env make no identity") }
        let certificates = CertificateDirectory(path: self.certificateDirectory)
        if !Self.hasCertificate(certificates, of: identity, bundle) { try bundle.checkToken() }
        guard LastGoodStore.isUsable(self.stateDirectory) else {
            throw StartError("--state-directory \(self.stateDirectory) is not writable by user \(getuid())")
        }
        var options = MeshProxy.Options(
            workload: workload,
            controlPlane: controlPlane,
            identity: ProxyIdentity.Options(
                identity: identity,
                source: .issued,
                directory: certificates,
                rootFile: bundle.rootPath,
                tokenFile: bundle.tokenPath,
                algorithm: .ecdsaP256,
                lifetime: .seconds(self.runtime.certificateLifetime),
                serverName: bundle.controlPlaneName
            ),
            concurrency: self.runtime.threads,
            drainLimit: .seconds(self.runtime.drainSeconds),
            statusAddress: try self.runtime.status(),
            resolvConf: self.runtime.resolvConf,
            dns: try self.runtime.dns.settings(environment),
            answersDNS: true,
            stateDirectory: self.stateDirectory,
            stateWait: .seconds(5)
        )
        options.dnsListening = try self.listening()
        if let probe = try bundle.probe() {
            do { options.health = try HealthCheck(json: probe) } catch {
                throw StartError("\(self.bundle)/\(MachineBundle.File.probe): \(error)")
            }
        }
        return options
    }

    private static func place(_ text: String, of name: String) throws -> HostPort {
        guard let place = HostPort(text) else {
            throw StartError("\(name) `\(text)` is not HOST:PORT or [IPV6]:PORT")
        }
        return place
    }
}
