// Attributes as proxies send them: nothing traps the decoder, and what it takes can be written and read again.

import Foundation
import MixerAPI
import PolicyEngine
import SwiftProtobuf

private let vocabulary = AttributeVocabulary.standard

private func decoded(_ message: Istio_Mixer_V1_CompressedAttributes) -> AttributeBag? {
    var bag = AttributeBag(vocabulary)
    let decoder = AttributeDecoder(vocabulary: vocabulary)
    do throws(AttributeDecoder.Malformed) {
        try decoder.decode(message, into: &bag, defaultWords: ["request.path", "source.ip"])
        return bag
    } catch {
        invariant(!error.description.isEmpty, "a refusal without a reason")
        return nil
    }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Data(UnsafeRawBufferPointer(start: data, count: count))
    // What protobuf refuses never gets here.
    guard let first = bytes.first,
        let message = try? Istio_Mixer_V1_CompressedAttributes(serializedBytes: bytes.dropFirst())
    else { return 0 }
    let wordCount = Int(first)
    guard let bag = decoded(message) else { return 0 }
    let encoder = AttributeEncoder(vocabulary: vocabulary, globalWordCount: wordCount)
    let again = decoded(encoder.encode(bag))
    invariant(again == bag || hasNaN(bag), "written and read, attributes have changed")
    invariant(hasNaN(bag) || encoder.encode(bag, since: bag) == .init(), "nothing has changed, and something is sent")
    return 0
}

private func hasNaN(_ bag: AttributeBag) -> Bool {
    vocabulary.attributes.indices.contains { slot in
        if case .double(let value)? = bag[slot] { value.isNaN } else { false }
    }
}
