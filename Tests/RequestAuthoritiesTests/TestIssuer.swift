import Foundation
import JWTKit
import Logging
import RequestAuthorities
import Synchronization
import Testing
import TrafficEngine
import _CryptoExtras

/// Claims of a test's token; what is `nil` is left out.
struct TestClaims: JWTPayload {
    var iss: String? = "https://issuer.test"
    var sub: String? = "me"
    var aud: [String]?
    var exp: Int?
    var nbf: Int?
    var scope: String?

    func verify(using algorithm: some JWTAlgorithm) {}
}

/// Makes keys and signs with them.
struct TestIssuer: Sendable {
    let keys: JWTKeyCollection
    /// Public keys, as an issuer shows them.
    let jwks: String

    static func ellipticCurve(_ id: String? = "k1") async throws -> TestIssuer {
        let key = ES256PrivateKey()
        let keys = JWTKeyCollection()
        await keys.add(ecdsa: key, kid: nil)
        let point = try Self.parameters(key.publicKey.parameters)
        return TestIssuer(keys: keys, jwks: Self.set(["kty": "EC", "crv": "P-256", "x": point.x, "y": point.y], id))
    }

    static func rsa(_ id: String? = "k1", extra: [String: String] = [:]) async throws -> TestIssuer {
        let key = try Insecure.RSA.PrivateKey(backing: _RSA.Signing.PrivateKey(keySize: .bits2048))
        let keys = JWTKeyCollection()
        await keys.add(rsa: key, digestAlgorithm: .sha256, kid: nil)
        let numbers = try key.publicKey.getKeyPrimitives()
        let fields = ["kty": "RSA", "n": Self.text(numbers.modulus), "e": Self.text(numbers.publicExponent)]
        return TestIssuer(keys: keys, jwks: Self.set(fields.merging(extra) { $1 }, id))
    }

    static func edwards(_ id: String? = "k1") async throws -> TestIssuer {
        let key = try EdDSA.PrivateKey(curve: .ed25519)
        let keys = JWTKeyCollection()
        await keys.add(eddsa: key, kid: nil)
        let x = Self.text(key.publicKey.rawRepresentation)
        return TestIssuer(keys: keys, jwks: Self.set(["kty": "OKP", "crv": "Ed25519", "x": x], id))
    }

    func token(_ claims: TestClaims = TestClaims(), keyID: String? = "k1") async throws -> String {
        var header = JWTHeader()
        if let keyID { header.kid = keyID }
        return try await self.keys.sign(claims, header: header)
    }

    struct NoParameters: Error {}

    private static func parameters(_ parameters: ECDSAParameters?) throws -> ECDSAParameters {
        guard let parameters else { throw NoParameters() }
        return parameters
    }

    static func set(_ fields: [String: String], _ id: String?) -> String {
        var fields = fields
        if let id { fields["kid"] = id }
        let members = fields.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\"\(Self.url($0.value))\"" }
        return "{\"keys\":[{\(members.joined(separator: ","))}]}"
    }

    /// One set with the keys of several.
    static func join(_ issuers: [TestIssuer]) -> String {
        let keys = issuers.map { $0.jwks.dropFirst("{\"keys\":[".count).dropLast(2) }
        return "{\"keys\":[\(keys.joined(separator: ","))]}"
    }

    static func text(_ data: Data) -> String { Self.url(data.base64EncodedString()) }

    private static func url(_ text: String) -> String {
        text.contains("://")
            ? text
            : text.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

/// A verifier whose clock stands where the test puts it and whose fetches the test answers.
final class TestVerifier: Sendable {
    struct World {
        var wall: Int64 = 1_000_000
        var uptime: Int64 = 100_000
        var documents: [String: String] = [:]
        var fetches: [String] = []
    }

    private let world = Mutex(World())
    private let verifier = Mutex<TokenVerifier?>(nil)

    struct NotFound: Error {}

    /// How often keys were fetched.
    var fetchCount: Int { self.world.withLock { $0.fetches.count } }

    func edit(_ change: (inout World) -> Void) { self.world.withLock { change(&$0) } }

    init() {
        let verifier = TokenVerifier(
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            wallSeconds: { [weak self] in self?.world.withLock(\.wall) ?? 0 },
            uptimeMilliseconds: { [weak self] in self?.world.withLock(\.uptime) ?? 0 },
            fetch: { [weak self] uri, _ in
                let document = self?.world.withLock { world in
                    world.fetches.append(uri)
                    return world.documents[uri]
                }
                guard let document else { throw NotFound() }
                return Array(document.utf8)
            }
        )
        self.verifier.withLock { $0 = verifier }
    }

    /// The verifier runs as long as `body`.
    func run(_ body: () async throws -> Void) async throws {
        guard let verifier = self.verifier.withLock({ $0 }) else { return }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await verifier.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    func verify(_ token: String, _ policy: TokenPolicy) async -> TokenVerdict {
        let presented = PresentedToken(text: token, header: nil, providers: Array(policy.providers.indices))
        return await withCheckedContinuation { continuation in
            let verdict = self.verifier.withLock { $0 }?.verify(presented, policy: policy) {
                continuation.resume(returning: $0)
            }
            if let verdict { continuation.resume(returning: verdict) }
        }
    }

    /// Whether a verdict is given before the call returns; what comes later is not waited for.
    func answersAtOnce(_ token: String, _ policy: TokenPolicy) -> Bool {
        let presented = PresentedToken(text: token, header: nil, providers: Array(policy.providers.indices))
        return self.verifier.withLock { $0 }?.verify(presented, policy: policy) { _ in } != nil
    }

    /// Expects a verdict about a token; `nil`: it is good.
    func check(
        _ token: String,
        _ policy: TokenPolicy,
        _ expected: TokenFault?,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let fault = await self.fault(token, policy)
        #expect(fault == expected, sourceLocation: sourceLocation)
    }

    /// `nil`: the token is good.
    func fault(_ token: String, _ policy: TokenPolicy) async -> TokenFault? {
        switch await self.verify(token, policy) {
        case .verified: nil
        case .refused(let fault): fault
        }
    }
}

extension TokenPolicy {
    static func inline(_ jwks: String, audiences: [String] = [], issuer: String = "https://issuer.test") -> TokenPolicy
    {
        var provider = Provider(name: "p", issuer: issuer, keys: .inline(jwks))
        provider.audiences = audiences
        provider.spaceDelimitedClaims = ["scope"]
        return TokenPolicy(providers: [provider])
    }

    static func remote(_ uri: String = "https://issuer.test/keys") -> TokenPolicy {
        let keys = Provider.Keys.remote(uri: uri, cluster: "", timeout: .seconds(1), cacheDuration: .seconds(300))
        return TokenPolicy(providers: [Provider(name: "p", issuer: "https://issuer.test", keys: keys)])
    }
}
