// Descriptor sets of adapters outside, and what is written by them: nothing traps reading, checking or writing, and
// what is written is a message. The input is the length of a descriptor set (two bytes), the set, and an object in JSON.

import KubernetesAPI
import PolicyEngine
import SwiftProtobuf

private let vocabulary = AttributeVocabulary(["s": .string, "i": .int64, "m": .stringMap, "d": .double, "b": .bool])

private let request: AttributeBag = {
    var bag = AttributeBag(vocabulary)
    let values: [String: AttributeValue] = [
        "s": .string("text"), "i": .int64(-7), "m": .stringMap(["k": "v"]), "d": .double(0.5), "b": .bool(true),
    ]
    for (name, value) in values {
        if let slot = vocabulary.slot(of: name) { bag[slot] = value }
    }
    return bag
}()

/// Any message can be read as one without fields.
private func requireMessage(_ bytes: [UInt8]) {
    invariant((try? Google_Protobuf_Empty(serializedBytes: bytes)) != nil, "what was written is no message")
}

private func write(_ set: DescriptorSet, _ object: JSONValue) {
    // What is wrong with the set has been told by then.
    if let form = try? OutsideAdapterForm(
        name: "a",
        namespace: "n",
        isSessionBased: false,
        templates: [],
        descriptors: set
    ) {
        if let bytes = form.encode(object, report: { _, message in invariant(!message.isEmpty, "no words") }) {
            requireMessage(bytes)
        }
    }
    guard let template = try? OutsideTemplate(set, name: "t", namespace: "n") else { return }
    var isBroken = false
    let instance = CompiledInstance(
        name: "i",
        namespace: "n",
        schema: template.schema,
        params: object,
        vocabulary: vocabulary
    ) { _, _ in isBroken = true }
    guard !isBroken else { return }
    var evaluation = Evaluation(request)
    // A number that does not fit its field is an error.
    guard let data = try? instance.evaluate(&evaluation) else { return }
    requireMessage(data.encoded)
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: count))
    guard bytes.count >= 2 else { return 0 }
    let length = min(Int(bytes[0]) << 8 | Int(bytes[1]), bytes.count - 2)
    let rest = bytes.dropFirst(2)
    do throws(DescriptorSet.Mistake) {
        let set = try DescriptorSet(bytes: Array(rest.prefix(length)))
        for name in set.messages.keys {
            // Circles end, and what is missing is told.
            do throws(DescriptorSet.Mistake) { try set.requireTypes(below: name) } catch {
                invariant(!error.description.isEmpty, "a refusal without a reason")
            }
        }
        if let object = try? JSONValue.parse(Array(rest.dropFirst(length))) { write(set, object) }
    } catch {
        invariant(!error.description.isEmpty, "a refusal without a reason")
    }
    return 0
}
