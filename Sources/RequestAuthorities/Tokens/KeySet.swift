internal import JWTKit
internal import TrafficEngine

/// Public keys of an issuer (RFC 7517), made ready once.
struct KeySet: Sendable {
    private struct Key: Sendable {
        var id: String?
        /// By name of the algorithm. A key verifies only what its type and its `alg` allow, whatever a token says.
        var verifiers: [String: any JWTAlgorithm]

        /// `nil`: the token is not of this key.
        func verifier(for token: TokenParts) -> (any JWTAlgorithm)? {
            // A key without a name may be any, and so may the key of a token that names none.
            if let wanted = token.keyID, let id = self.id, wanted != id { return nil }
            return self.verifiers[token.algorithm]
        }
    }

    static let keysMax = 100
    static let bytesMax = 1 << 20

    private var keys: [Key] = []

    /// Keys of unknown kinds are left out, as RFC 7517 section 5 wants it; `nil`: it is no key set.
    init?(json: [UInt8]) async {
        guard json.count <= Self.bytesMax, let object = ClaimJSON.object(json),
            case .list(let list)? = object.value(at: ["keys"]), list.count <= Self.keysMax
        else { return nil }
        for value in list {
            let verifiers = await Self.verifiers(value)
            if !verifiers.isEmpty { self.keys.append(Key(id: value.text("kid"), verifiers: verifiers)) }
        }
    }

    var isEmpty: Bool { self.keys.isEmpty }

    /// How many keys may have to be tried for a token; counted up to one more than `max`.
    func tryCount(_ token: TokenParts, max: Int) -> Int {
        var count = 0
        for key in self.keys where key.verifier(for: token) != nil {
            count += 1
            if count > max { return count }
        }
        return count
    }

    /// `nil`: the signature is right.
    func fault(_ token: TokenParts) -> TokenFault? {
        var hasKey = false
        for key in self.keys {
            guard let verifier = key.verifier(for: token) else { continue }
            hasKey = true
            // A signature that cannot even be read is no signature.
            if (try? verifier.verify(token.signature, signs: token.signed)) == true { return nil }
        }
        return hasKey ? .badSignature : .noKey
    }

    private static func verifiers(_ key: ClaimValue) async -> [String: any JWTAlgorithm] {
        guard key.text("use") ?? "sig" == "sig" else { return [:] }
        let only = key.text("alg")
        var result: [String: any JWTAlgorithm] = [:]
        func add(_ name: String, _ make: (JWTKeyCollection) async throws -> Void) async {
            guard only == nil || only == name else { return }
            let collection = JWTKeyCollection()
            // A key that cannot be read verifies nothing.
            guard (try? await make(collection)) != nil, let verifier = try? await collection.getKey() else { return }
            result[name] = verifier
        }
        switch (key.text("kty"), key.text("crv")) {
        case ("RSA", _):
            guard let modulus = key.text("n"), let exponent = key.text("e") else { return [:] }
            let digests: [(String, DigestAlgorithm)] = [("256", .sha256), ("384", .sha384), ("512", .sha512)]
            for (name, digest) in digests {
                await add("RS\(name)") {
                    await $0.add(
                        rsa: try Insecure.RSA.PublicKey(modulus: modulus, exponent: exponent),
                        digestAlgorithm: digest
                    )
                }
                await add("PS\(name)") {
                    await $0.add(
                        pss: try Insecure.RSA.PublicKey(modulus: modulus, exponent: exponent),
                        digestAlgorithm: digest
                    )
                }
            }
        case ("EC", "P-256"):
            guard let x = key.text("x"), let y = key.text("y") else { return [:] }
            await add("ES256") { await $0.add(ecdsa: try ES256PublicKey(parameters: (x, y))) }
        case ("EC", "P-384"):
            guard let x = key.text("x"), let y = key.text("y") else { return [:] }
            await add("ES384") { await $0.add(ecdsa: try ES384PublicKey(parameters: (x, y))) }
        case ("OKP", "Ed25519"):
            guard let x = key.text("x") else { return [:] }
            await add("EdDSA") { await $0.add(eddsa: try EdDSA.PublicKey(x: x, curve: .ed25519)) }
        default: ()
        }
        return result
    }
}
