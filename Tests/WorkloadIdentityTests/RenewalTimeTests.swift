import Testing
import WorkloadIdentity

@Suite struct RenewalTimeTests {
    @Test("A certificate is renewed around half of its life, never after its end")
    func halfLife() {
        let time = RenewalTime()

        #expect(time.delay(lifetime: 1000, random: 0) == 500)
        #expect(time.delay(lifetime: 1000, random: -1) == 490)
        #expect(time.delay(lifetime: 1000, random: 1) == 510)
        #expect(RenewalTime(share: 2).delay(lifetime: 1000, random: 0) == 1000)
        #expect(time.delay(lifetime: -5, random: 0) == 0)
    }
}
