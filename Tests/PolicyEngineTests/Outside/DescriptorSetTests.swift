import PolicyEngine
import SwiftProtobuf
import Testing

@Suite struct DescriptorSetTests {
    private func mistake(_ set: Google_Protobuf_FileDescriptorSet) -> String? {
        do throws(DescriptorSet.Mistake) {
            _ = try DescriptorSet(set)
            return nil
        } catch {
            return error.description
        }
    }

    @Test("Messages of all files are found by their full names, with their fields by number")
    func reads() throws {
        let set = try DescriptorSet(base64: descriptors(timeFile, valueFile, authorizationFile()).base64)

        let subject = try #require(set.messages[".authorization.SubjectMsg"])
        #expect(subject.fields.map(\.name) == ["user", "groups", "properties"])
        #expect(set.messages[".authorization.SubjectMsg.PropertiesEntry"]?.isMapEntry == true)
        #expect(set.enumerations[".istio.policy.v1beta1.ValueType"]?["STRING_MAP"] == 11)
        #expect(set.files.map(\.variety) == [nil, nil, 0])
    }

    @Test("What is cut off is refused wherever the cut is, or has nothing in it that was not there before")
    func truncated() throws {
        let bytes: [UInt8] = try descriptors(timeFile, valueFile, authorizationFile()).serializedBytes()
        let whole = try DescriptorSet(bytes: bytes)

        for count in bytes.indices {
            do throws(DescriptorSet.Mistake) {
                let part = try DescriptorSet(bytes: Array(bytes.prefix(count)))
                #expect(part.files.count < whole.files.count)
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test("What is no base64, or nothing, is refused", arguments: ["%", "AAA", "", " \n"])
    func noBase64(_ text: String) {
        #expect(throws: DescriptorSet.Mistake.self) { try DescriptorSet(base64: text) }
    }

    @Test("Base64 may have line breaks")
    func folded() throws {
        let text = descriptors(timeFile).base64
        let folded = text.enumerated().map { $0.offset % 20 == 19 ? "\($0.element)\n  " : "\($0.element)" }.joined()

        #expect(try DescriptorSet(base64: folded).messages.count == 2)
    }

    @Test("Sets beyond the bounds are refused")
    func huge() {
        let types = (0...DescriptorSet.messagesMax).map { type("M\($0)", []) }
        let fields = (1...Int32(DescriptorSet.fieldsMax + 1)).map { field("f\($0)", $0, .string) }
        let files = (0...DescriptorSet.filesMax).map { file("p\($0)", []) }

        #expect(self.mistake(descriptors(file("p", Array(types.dropFirst())))) == nil)
        #expect(self.mistake(descriptors(file("p", types))) == "has more than 4096 messages")
        #expect(self.mistake(descriptors(file("p", [type("M", Array(fields.dropLast()))]))) == nil)
        #expect(self.mistake(descriptors(file("p", [type("M", fields)]))) == "has more than 32768 fields")
        #expect(self.mistake(.with { $0.file = Array(files.dropFirst()) }) == nil)
        #expect(self.mistake(.with { $0.file = files }) == "has more than 256 files")
        #expect(throws: DescriptorSet.Mistake.self) {
            try DescriptorSet(bytes: Array(repeating: 0, count: DescriptorSet.bytesMax + 1))
        }
    }

    @Test("Messages that stand too deep in each other are refused")
    func deep() throws {
        var nested = type("M", [])
        for _ in 0..<200 { nested = type("M", [], nested: [nested]) }
        let bytes: [UInt8] = try descriptors(file("p", [nested])).serializedBytes()

        #expect(throws: DescriptorSet.Mistake.self) { try DescriptorSet(bytes: bytes) }
    }

    @Test("Types that refer to each other in circles are read, and end")
    func cycles() throws {
        let set = try DescriptorSet(
            descriptors(
                file(
                    "p",
                    [
                        type("A", [field("b", 1, .message, ".p.B"), field("a", 2, .message, ".p.A")]),
                        type("B", [field("a", 1, .message, ".p.A")]),
                    ]
                )
            )
        )

        #expect(throws: Never.self) { try set.requireTypes(below: ".p.A") }
    }

    @Test("Fields of types that are missing, unknown or no longer written are named")
    func types() throws {
        let missing = try DescriptorSet(descriptors(file("p", [type("A", [field("b", 1, .message, ".q.B")])])))
        let error = #expect(throws: DescriptorSet.Mistake.self) { try missing.requireTypes(below: ".p.A") }
        #expect(error?.description.hasPrefix(".p.A.b is of type .q.B, which is in none of its files") == true)

        var untyped = field("a", 1, .string)
        untyped.clearType()
        let unknown = ".p.A.a has a type that is not known"
        #expect(self.mistake(descriptors(file("p", [type("A", [untyped])]))) == unknown)
        #expect(self.mistake(descriptors(file("p", [type("A", [field("a", 1, .group)])]))) == unknown)
    }

    @Test("Numbers that no tag has, and those given twice, are refused", arguments: [0, -1, 536_870_912, 7] as [Int32])
    func numbers(_ number: Int32) {
        let fields = [field("a", 7, .string), field("b", number, .string)]

        #expect(self.mistake(descriptors(file("p", [type("A", fields)])))?.hasPrefix(".p.A.b has a number") == true)
    }

    @Test("Two messages of one name, and languages to come, are refused")
    func others() {
        #expect(self.mistake(descriptors(timeFile, timeFile)) == ".google.protobuf.Duration is defined twice")
        #expect(self.mistake(descriptors(file("p", [], syntax: "editions")))?.contains("editions") == true)
    }
}
