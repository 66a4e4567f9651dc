import Testing
import TrafficEngine

@Suite("Copies of heads")
struct OwnedRequestTests {
    private static func request(
        _ target: String = "/a",
        _ headers: [(name: String, value: String)] = [("x-user", "ann")],
        isSecure: Bool = false
    ) -> OwnedRequest {
        OwnedRequest(method: "GET", target: target, authority: "x.test", headers: headers, isSecure: isSecure)
    }

    /// Whether the copy of the first request would do for the other, which stands where it was received.
    private static func isSame(_ other: OwnedRequest) -> Bool { other.withView { Self.request().isSame(as: $0) } }

    @Test("A copy stands for a head that says the same, and for no other")
    func sameness() {
        #expect(Self.isSame(Self.request()))
        #expect(!Self.isSame(Self.request("/b")))
        #expect(!Self.isSame(Self.request("/ab")))
        #expect(!Self.isSame(Self.request("/a", [("x-user", "bob")])))
        #expect(!Self.isSame(Self.request("/a", [("x-uses", "ann")])))
        #expect(!Self.isSame(Self.request("/a", [("x-user", "ann"), ("x-b", "")])))
        #expect(!Self.isSame(Self.request("/a", [])))
        #expect(!Self.isSame(Self.request(isSecure: true)))
    }

    @Test("What stands behind a head does not count")
    func body() {
        Self.request().withView { view in
            let bytes = Array(view.bytes) + [0x7B, 0x7D]
            bytes.withUnsafeBytes { longer in
                var other = view
                other.bytes = longer
                #expect(Self.request().isSame(as: other))
            }
        }
    }

    @Test("Of an answer's head, too, every byte that its lines point to counts")
    func answers() {
        func isSame(_ one: String, _ other: String, as value: ByteRange? = nil) -> Bool {
            let name = ByteRange(start: 0, count: 4)
            let fields = [HeaderField(name: name, value: ByteRange(start: 5, count: 2))]
            let own = Array(one.utf8).withUnsafeBytes { ReportedHeaders($0, fields) }
            let others = value.map { [HeaderField(name: name, value: $0)] } ?? fields
            return Array(other.utf8).withUnsafeBytes { own.isSame(as: $0, others) }
        }
        #expect(isSame("date:01\r\n", "date:01\r\nbody"))
        #expect(!isSame("date:01\r\n", "date:02\r\n"))
        #expect(!isSame("date:01\r\n", "date:01\r\n", as: ByteRange(start: 5, count: 1)))
        #expect(!isSame("date:01\r\n", "date:"))
    }
}
