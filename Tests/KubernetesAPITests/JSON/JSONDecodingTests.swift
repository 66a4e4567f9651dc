import KubernetesAPI
import Testing

@Suite struct JSONDecodingTests {
    private struct Sample: Codable, Equatable {
        var text: String
        var count: Int
        var isOn: Bool
        var list: [String]
        var map: [String: Int]
        var inner: Inner
        var absent: Inner?

        struct Inner: Codable, Equatable { var share: Double }
    }

    @Test("What is absent or null has the zero value of its type")
    func zeroValues() throws {
        let sample = try (["list": .null] as JSONValue).decode(Sample.self)

        #expect(
            sample
                == Sample(text: "", count: 0, isOn: false, list: [], map: [:], inner: .init(share: 0), absent: nil)
        )
    }

    @Test("A value of another type is refused, with its path")
    func mismatch() {
        let json: JSONValue = ["inner": ["share": "much"]]
        let error = #expect(throws: DecodingError.self) { try json.decode(Sample.self) }
        guard case .typeMismatch(_, let context) = error else {
            Issue.record("not a mismatch: \(String(describing: error))")
            return
        }
        #expect(context.codingPath.map(\.stringValue) == ["inner", "share"])
        #expect(context.debugDescription == "expected number, found string")
    }

    @Test("Integers that do not fit are refused, not cut")
    func overflow() {
        struct Small: Codable { var value: UInt16 }
        #expect(throws: Never.self) { try (["value": 65535] as JSONValue).decode(Small.self) }
        #expect(throws: DecodingError.self) { try (["value": 65536] as JSONValue).decode(Small.self) }
        #expect(throws: DecodingError.self) { try (["value": -1] as JSONValue).decode(Small.self) }
        #expect(throws: DecodingError.self) { try (["value": 1.5] as JSONValue).decode(Small.self) }
    }

    @Test("An encoded value leaves out what is empty and keeps zero and false")
    func encoding() throws {
        let sample = Sample(text: "", count: 0, isOn: false, list: [], map: ["a": 1], inner: .init(share: 0.5))
        #expect(
            try JSONValue(encoding: sample)
                == ["count": 0, "isOn": false, "map": ["a": 1], "inner": ["share": 0.5]]
        )
    }
}
