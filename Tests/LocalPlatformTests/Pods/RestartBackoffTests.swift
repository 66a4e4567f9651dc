import LocalPlatform
import Testing

@Suite struct RestartBackoffTests {
    @Test("A container that keeps ending waits a second, then ten, doubled up to five minutes")
    func doubles() {
        var backoff = RestartBackoff()

        let waits = (0..<8).map { _ in backoff.ended(after: .seconds(2)) }

        #expect(waits == [1, 10, 20, 40, 80, 160, 300, 300].map { .seconds($0) })
    }

    @Test("Ten minutes of running forgive what was before")
    func forgives() {
        var backoff = RestartBackoff()
        for _ in 0..<5 { _ = backoff.ended(after: .zero) }

        #expect(backoff.ended(after: .seconds(599)) == .seconds(160))
        #expect(backoff.ended(after: .seconds(600)) == .seconds(1))
    }

    @Test("The sentence is Kubernetes' own")
    func message() {
        let text = RestartBackoff.message(delay: .seconds(80), container: "web", pod: "web_default(1)")

        #expect(text == "back-off 1m20s restarting failed container=web pod=web_default(1)")
    }
}
