import Foundation
import MixerAPI
import PolicyEngine
import SwiftProtobuf
import Testing

@Suite struct AttributeCodecTests {
    private typealias Message = Istio_Mixer_V1_CompressedAttributes

    private func decode(
        _ message: Istio_Mixer_V1_CompressedAttributes,
        words: [String] = []
    ) throws -> AttributeBag {
        var bag = AttributeBag(testVocabulary)
        let decoder = AttributeDecoder(vocabulary: testVocabulary)
        try decoder.decode(message, into: &bag, defaultWords: words)
        return bag
    }

    @Test("Attributes come back as they were sent, whatever part of the word list the other side knows")
    func roundTrip() throws {
        for count in [0, 5, 100, 218, 221, 222, 1000] {
            let message = AttributeEncoder(vocabulary: testVocabulary, globalWordCount: count).encode(testRequest)
            let bytes: [UInt8] = try message.serializedBytes()

            let bag = try self.decode(try Message(serializedBytes: bytes))

            #expect(bag == testRequest, "\(count)")
        }
    }

    @Test("Words of the global list are sent as their numbers")
    func dictionary() {
        let encoder = AttributeEncoder(vocabulary: testVocabulary, globalWordCount: 222)
        let message = encoder.encode(AttributeBag(["request.path": .string("GET"), "request.host": .string("own")]))

        #expect(message.words == ["own"])
        #expect(message.strings == [17: 90, 18: -1])
    }

    @Test(
        "The last words of the global list have the numbers that all proxies know",
        arguments: [
            (217, "RL"), (218, #""-""#), (219, "inbound"), (220, "outbound"), (221, "context.proxy_version"),
        ] as [(Int32, String)]
    )
    func lastWords(_ number: Int32, _ word: String) throws {
        let path = Int32(17)

        let bag = try self.decode(.with { $0.strings = [path: number] })

        #expect(bag == AttributeBag(["request.path": .string(word)]))
        #expect(throws: AttributeDecoder.Malformed.self) { try self.decode(.with { $0.strings = [path: 222] }) }
    }

    @Test("The second of two messages changes the first")
    func delta() throws {
        let encoder = AttributeEncoder(vocabulary: testVocabulary, globalWordCount: 222)
        var later = testRequest
        if let slot = testVocabulary.slot(of: "request.path") { later[slot] = .string("/other") }
        let delta = encoder.encode(later, since: testRequest)
        #expect(delta.strings.count == 1 && delta.int64S.isEmpty)

        var bag = testRequest
        try AttributeDecoder(vocabulary: testVocabulary).decode(delta, into: &bag)

        #expect(bag == later)
    }

    @Test("A message without words of its own has those of its report")
    func defaultWords() throws {
        let bag = try self.decode(.with { $0.strings = [-1: -2] }, words: ["request.path", "/x"])

        #expect(bag == AttributeBag(["request.path": .string("/x")]))
    }

    @Test("Attributes that no manifest knows are left out")
    func unknown() throws {
        let message = Message.with {
            $0.words = ["other"]
            $0.strings = [-1: -1]
            $0.bytes = [-1: Data([1, 2, 3])]
        }

        #expect(try self.decode(message) == AttributeBag(testVocabulary))
    }

    @Test("An attribute of another type than its manifest says is kept, for who reads it to find out")
    func otherType() throws {
        let bag = try self.decode(
            .with {
                $0.words = ["request.size"]
                $0.strings = [-1: -1]
            }
        )

        #expect(throws: EvaluationError.self) { try evaluated("request.size == 1", bag) }
    }

    @Test("What cannot be read refuses the whole message")
    func malformed() {
        let messages: [(inout Message) -> Void] = [
            { $0.strings = [17: 223] }, { $0.strings = [500: 0] }, { $0.strings = [-1: 0] },
            { $0.strings = [17: .min] },
            { $0.strings = [.max: 0] }, { $0.stringMaps = [15: .with { $0.entries = [0: -1] }] },
            { $0.stringMaps = [15: .with { $0.entries = [9999: 0] }] }, { $0.bytes = [0: Data([1, 2, 3])] },
            { $0.bytes = [17: Data([1, 2, 3, 4])] }, { $0.bytes = [0: Data()] },
            { $0.timestamps = [24: .with { $0.seconds = .max }] }, { $0.timestamps = [24: .with { $0.nanos = -1 }] },
            { $0.durations = [29: .with { $0.seconds = .min }] }, { $0.durations = [29: .with { $0.nanos = .min }] },
        ]
        for change in messages {
            let message = Message.with(change)
            #expect(throws: AttributeDecoder.Malformed.self, "\(message)") { try self.decode(message) }
        }
    }

    @Test("References are written with numbers; no key is number 0, which means none")
    func references() throws {
        let expression = try CompiledExpression(
            #"request.headers["source.ip"] | source.labels["x"] | request.path"#,
            vocabulary: testVocabulary
        )
        var evaluation = Evaluation(testRequest)
        _ = try expression.evaluate(&evaluation)

        let message = AttributeEncoder(vocabulary: testVocabulary, globalWordCount: 222).encode(evaluation.references)

        #expect(message.words == ["source.ip"])
        #expect(message.attributeMatches.map(\.name) == [15, 17, 5])
        #expect(message.attributeMatches.map(\.condition) == [.absence, .exact, .absence])
        #expect(message.attributeMatches.map(\.mapKey) == [-1, 0, 0])
    }
}
