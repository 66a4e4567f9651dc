import CertificateAuthority
import Foundation
import MeshModel
import SwiftASN1
import Synchronization
import WorkloadIdentity
import X509

/// An authority in the same process that signs whatever it is told to.
final class TestAuthority: CertificateIssuer {
    struct Down: Error {}

    private struct State {
        var isDown = false
        var authority: CertificateAuthority
        var requests = 0
    }

    private let state: Mutex<State>
    private let identity: WorkloadID
    private let now: @Sendable () -> Double
    private let life: Double

    init(identity: WorkloadID, life: Double = 1000, now: @escaping @Sendable () -> Double) throws {
        self.identity = identity
        self.now = now
        self.life = life
        self.state = Mutex(State(authority: try Self.make()))
    }

    static func make() throws -> CertificateAuthority {
        let now = Date(timeIntervalSince1970: 0)
        let files = try CertificateAuthority.selfSigned(organization: "test", now: now)
        return try CertificateAuthority(files: files, policy: IssuancePolicy(), now: now)
    }

    var requests: Int { self.state.withLock { $0.requests } }

    var root: [UInt8] {
        get throws { Array(try self.state.withLock { $0.authority }.root.serializeAsPEM().pemString.utf8) + [10] }
    }

    func set(isDown: Bool) { self.state.withLock { $0.isDown = isDown } }

    /// From now on another root signs.
    func changeRoot() throws {
        let authority = try Self.make()
        self.state.withLock { $0.authority = authority }
    }

    func certificates(for request: String, lifetime: Duration) async throws -> [String] {
        let (isDown, authority) = self.state.withLock { state in
            state.requests += 1
            return (state.isDown, state.authority)
        }
        if isDown { throw Down() }
        let issued = try authority.issue(
            uris: [self.identity.uri],
            to: SigningRequest(pem: request).publicKey,
            from: Date(timeIntervalSince1970: self.now()),
            until: Date(timeIntervalSince1970: self.now() + self.life)
        )
        return try issued.answer
    }
}
