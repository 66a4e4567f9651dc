import Serverless
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite struct ForwardFailureTests {
    @Test("A request of which nothing has left may go to another pod, whatever it is")
    func notConnected() {
        let failure = ForwardFailure(errno: ECONNREFUSED, elapsed: .zero)

        #expect(failure == .notConnected)
        #expect(failure.allowsRepetition(method: "POST", hasBody: true))
    }

    @Test(
        "One that a pod may have carried out is repeated only if that does no harm",
        arguments: [ECONNRESET, EPIPE, ETIMEDOUT]
    )
    func ended(_ number: Int32) {
        let failure = ForwardFailure(errno: number, elapsed: .zero)

        #expect(!failure.allowsRepetition(method: "POST", hasBody: false))
        #expect(!failure.allowsRepetition(method: "PUT", hasBody: false))
        #expect(!failure.allowsRepetition(method: "GET", hasBody: true))
        #expect(failure.allowsRepetition(method: "GET", hasBody: false))
    }

    @Test("A host that is found unreachable late was reached before")
    func unreachable() {
        #expect(ForwardFailure(errno: EHOSTUNREACH, elapsed: .milliseconds(999)) == .notConnected)
        #expect(ForwardFailure(errno: EHOSTUNREACH, elapsed: .seconds(1)) == .connectionEnded)
    }

    @Test("Anything else is not repeated")
    func other() {
        #expect(!ForwardFailure(errno: EMFILE, elapsed: .zero).allowsRepetition(method: "GET", hasBody: false))
    }
}
