import ArgumentParser
import CertificateAuthority
import Foundation
import IdentityServer
import MeshModel

/// Flags of the certificate authority and of what proxies connect to.
struct IdentityOptions: ParsableArguments {
    @Option(help: "Port of xDS and certificates over TLS; proxies connect here.")
    var tlsPort = Int(MeshPorts.xds)

    @Flag(help: "Also serve xDS in clear text and to everybody (--xds-port). For debugging only.")
    var plaintextXds = false

    @Option(help: "Port of xDS in clear text, served with --plaintext-xds.")
    var xdsPort = Int(MeshPorts.xdsPlaintext)

    @Option(help: "Key of a root that is made here: \(SigningKeyKind.names.joined(separator: ", ")).")
    var rootKey = "ecdsa-p256"

    @Option(help: "Life in hours of a certificate whose proxy asks for none.")
    var certificateHours = 24

    @Option(help: "Longest life in hours of a certificate.")
    var certificateHoursMax = 90 * 24

    @Option(help: "Seconds that a new root is trusted before it signs: mounted ConfigMaps follow with a delay.")
    var rootDistributionSeconds = 180

    func validate() throws {
        for (name, port) in [("tls", self.tlsPort), ("xds", self.xdsPort)] {
            guard (1...65535).contains(port) else { throw ValidationError("--\(name)-port: \(port) is no port") }
        }
        guard SigningKeyKind(self.rootKey) != nil else {
            throw ValidationError(
                "--root-key: '\(self.rootKey)' is not one of \(SigningKeyKind.names.joined(separator: ", "))"
            )
        }
        guard (1...self.certificateHoursMax).contains(self.certificateHours), self.certificateHoursMax <= 8760 else {
            throw ValidationError("--certificate-hours: 1 to --certificate-hours-max, which is at most 8760")
        }
        guard self.rootDistributionSeconds >= 0 else {
            throw ValidationError("--root-distribution-seconds: must not be negative")
        }
    }

    func keeperSettings(namespace: String, domain: String) -> AuthorityKeeper.Settings {
        var settings = AuthorityKeeper.Settings()
        settings.namespace = namespace
        settings.policy = IssuancePolicy(
            trustDomain: domain,
            lifetime: .seconds(self.certificateHours * 3600),
            lifetimeMax: .seconds(self.certificateHoursMax * 3600)
        )
        settings.rootKey = SigningKeyKind(self.rootKey) ?? .ecdsaP256
        settings.rotation = RootRotation.Settings(
            distributionTime: .seconds(self.rootDistributionSeconds),
            certificateLife: settings.policy.lifetimeMax
        )
        return settings
    }
}
