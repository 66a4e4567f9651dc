import CertificateAuthority
import Crypto
import Foundation
import SwiftASN1
import Testing
import X509
import _CryptoExtras

@Suite struct SigningRequestTests {
    @Test("Keys that proxies use are accepted")
    func accepted() throws {
        let keys = [
            Certificate.PrivateKey(P256.Signing.PrivateKey()), Certificate.PrivateKey(P384.Signing.PrivateKey()),
            Certificate.PrivateKey(try _RSA.Signing.PrivateKey(keySize: .bits2048)),
        ]
        for key in keys {
            let request = try SigningRequest(pem: try Requests.pem(key))
            #expect(request.publicKey == key.publicKey)
        }
    }

    @Test("Other kinds of key are refused by name")
    func refusedKinds() throws {
        let keys = [
            Certificate.PrivateKey(P521.Signing.PrivateKey()),
            Certificate.PrivateKey(Curve25519.Signing.PrivateKey()),
        ]
        for key in keys {
            let error = #expect(throws: AuthorityError.self) { try SigningRequest(pem: try Requests.pem(key)) }
            #expect(error?.code == .keyRefused)
            #expect(error?.message.contains("ECDSA P-256") == true)
        }
    }

    @Test("A request that was changed on the way is refused, wherever it was changed")
    func tampered() throws {
        let key = Requests.key()
        let pem = try Requests.pem(key)
        let original = try CertificateSigningRequest(pemEncoded: pem)
        let bytes = try PEMDocument(pemString: pem).derBytes
        var accepted: [Int] = []
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            let text = PEMDocument(type: "CERTIFICATE REQUEST", derBytes: changed).pemString
            // Whatever the reason: what counts is that it is refused, or that what was signed is the same.
            guard (try? SigningRequest(pem: text)) != nil else { continue }
            let request = try CertificateSigningRequest(pemEncoded: text)
            if request.publicKey != key.publicKey || request.attributes != original.attributes {
                accepted.append(index)
            }
        }
        #expect(accepted.isEmpty)
    }

    @Test("The key of one cannot be asked for by another")
    func foreignKey() throws {
        let mine = try CertificateSigningRequest(pemEncoded: try Requests.pem(Requests.key()))
        let theirs = Requests.key()
        let forged = try CertificateSigningRequest(
            version: .v1,
            subject: mine.subject,
            publicKey: theirs.publicKey,
            attributes: mine.attributes,
            signatureAlgorithm: mine.signatureAlgorithm,
            signature: mine.signature
        )

        let error = #expect(throws: AuthorityError.self) {
            try SigningRequest(pem: try forged.serializeAsPEM().pemString)
        }

        #expect(error?.code == .badSignature)
    }

    @Test("Weak keys and signatures of other programs are refused", arguments: [Self.rsa1024, Self.sha1])
    func weak(_ pem: String) {
        #expect(throws: AuthorityError.self) { try SigningRequest(pem: pem) }
    }

    @Test("What is no request is refused with a reason")
    func garbage() throws {
        let certificate = try Requests.authority().root.serializeAsPEM().pemString
        let texts = [
            "", "x", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", certificate,
        ]
        for text in texts {
            let error = #expect(throws: AuthorityError.self) { try SigningRequest(pem: text) }
            #expect(error?.code == .malformedRequest)
        }
        let large = #expect(throws: AuthorityError.self) {
            try SigningRequest(pem: String(repeating: "A", count: SigningRequest.bytesMax + 1))
        }
        #expect(large?.message == "the CSR is larger than 16384 bytes")
    }

    /// Made by OpenSSL.
    private static let rsa1024 = """
        -----BEGIN CERTIFICATE REQUEST-----
        MIIBSzCBtQIBADAMMQowCAYDVQQKDAF4MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB
        iQKBgQDG0EzvW/TNE6prcgh/ZMv/xumx2WmdzZEdd2cPF2V7DTsAA6e3tq9ve6Oe
        x/oGtLReIV8sGUg/lQmiiWTgbwq6ubiDfB0khd09d8CJABPtbnAHrLn3TsBuQdQc
        Fc3HYrY8e0qAToof3WDpWByl0fZsqpGdoJAMp0rZq/+kMGNHqwIDAQABoAAwDQYJ
        KoZIhvcNAQELBQADgYEAJazS++gMe5jEOSnK26n5GyAXy3zyrJzFME6X2pbsahqw
        V/wV41ObCrBCpuvMpd3KlmXrtPgh2TbgnWeRLskI9Ldb1UN3XVeQ2u6jAhGAgp4i
        9eAH4GswPSciwAgaFxYhbMeA557OW1uZLOJlp0qL7o3oDZivoCPIiiAjUghJh4c=
        -----END CERTIFICATE REQUEST-----
        """

    /// Made by OpenSSL with `-sha1`.
    private static let sha1 = """
        -----BEGIN CERTIFICATE REQUEST-----
        MIICUTCCATkCAQAwDDEKMAgGA1UECgwBeDCCASIwDQYJKoZIhvcNAQEBBQADggEP
        ADCCAQoCggEBANMF4awLcfMsCb1BZrXoey50jVIiFL8BfOB114189OhbvVSiJrzW
        3fmz3ukPSDKww7zCinV6mNu7Pg22tQz94l4U397mNw8xwlR7ZFFnzXzRR2r7Gd9A
        eOTmhTeCDfytyqzRVf96tXgLUq6v72lEutCm5V+Pi0P1pYD3XCNSZhCd4tS71uw/
        5zRnSBLvcSu630h/nATAWLF6DoNVE+3UoHIpkaz6YxrzKSeq4QIJCNAI0z4v6lsv
        adlPbzY1DxjfZdAXvyOvL8ETNmuSRpq2dJjvaWlZyeS1KfedfUMtSGFvj+ueEjPd
        0q/wvjccNRnQQxX8JnOWPY2xnF4tByxvOWMCAwEAAaAAMA0GCSqGSIb3DQEBBQUA
        A4IBAQAaaylXDLWppbSLt/Ul9034QZ1qgNiWj3ITovYZed1icGOja3KHrvAEIvwc
        KbEFBPRfac8ROvhdrO/ahcyZmqP/rU1tQnbfnqu0suGw/l7YVxHOgT66Kf/myWf6
        UCb6mDUUq9sa5EQkVgt5w3GOAMoL8D4gdO6IEw5VG6opKADK962XhH1b+nqqiBZ7
        JsENC/HoN4uS2srB1wS0ctzB8Q76zhYMqYcyrGLex7Jun92eAv1al6Bq44/m6Zxt
        yYZ6FUk2s/25XLCXRrOaKos+5FtT0GZsbGYmFqQOy79CjbfTwuJJBAztxQH+Zq3W
        eIDeQ+TgC4KJR17fcz5ZQA0+9Mk2
        -----END CERTIFICATE REQUEST-----
        """
}
