internal import Foundation
internal import MeshModel
package import MixerAPI
internal import SwiftProtobuf

/// Writes attributes as proxies send them, and the references of answers.
package struct AttributeEncoder: Sendable {
    private let vocabulary: AttributeVocabulary
    private let globalWordCount: Int

    /// An encoder for a reader that knows `globalWordCount` words of the global list.
    package init(vocabulary: AttributeVocabulary, globalWordCount: Int) {
        self.vocabulary = vocabulary
        self.globalWordCount = globalWordCount
    }

    /// All attributes of `bag`; with `previous` those that it has not or has otherwise.
    package func encode(_ bag: AttributeBag, since previous: AttributeBag? = nil) -> Istio_Mixer_V1_CompressedAttributes
    {
        var message = Istio_Mixer_V1_CompressedAttributes()
        var table = WordTable(globalWordCount: self.globalWordCount)
        for (slot, attribute) in self.vocabulary.attributes.enumerated() {
            guard let value = bag[slot], previous?[slot] != value else { continue }
            let name = table.number(of: attribute.name)
            switch value {
            case .string(let text), .emailAddress(let text), .dnsName(let text), .uri(let text):
                message.strings[name] = table.number(of: text)
            case .int64(let number): message.int64S[name] = number
            case .double(let number): message.doubles[name] = number
            case .bool(let truth): message.bools[name] = truth
            case .timestamp(let moment):
                message.timestamps[name] = .with {
                    $0.seconds = moment.seconds
                    $0.nanos = moment.nanoseconds
                }
            case .duration(let duration): message.durations[name] = Google_Protobuf_Duration(rounding: duration)
            case .ipAddress(let address): message.bytes[name] = Data(address.bytes)
            case .stringMap(let entries):
                var map = Istio_Mixer_V1_StringMap()
                for (key, value) in entries { map.entries[table.number(of: key)] = table.number(of: value) }
                message.stringMaps[name] = map
            }
        }
        message.words = table.words
        return message
    }

    package func encode(_ references: AttributeReferences) -> Istio_Mixer_V1_ReferencedAttributes {
        var message = Istio_Mixer_V1_ReferencedAttributes()
        var table = WordTable(globalWordCount: self.globalWordCount)
        message.attributeMatches = references.all.map { reference in
            .with {
                $0.name = table.number(of: self.vocabulary.attributes[reference.slot].name)
                $0.condition =
                    switch reference.condition {
                    case .absent: .absence
                    case .exact: .exact
                    }
                if let key = reference.key { $0.mapKey = table.number(of: key, isKey: true) }
            }
        }
        message.words = table.words
        return message
    }
}
