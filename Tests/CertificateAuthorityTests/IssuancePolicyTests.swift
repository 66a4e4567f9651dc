import CertificateAuthority
import Testing

@Suite struct IssuancePolicyTests {
    @Test("A request without a life gets the usual one, and one for too long is cut")
    func life() {
        let policy = IssuancePolicy(lifetime: .seconds(100), lifetimeMax: .seconds(200))

        let lives = [0, -1, 150, 200, 201].map { policy.lifetime(requested: $0) }

        #expect(lives == [.seconds(100), .seconds(100), .seconds(150), .seconds(200), .seconds(200)])
    }
}
