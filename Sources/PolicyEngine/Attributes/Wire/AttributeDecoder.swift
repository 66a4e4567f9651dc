internal import Foundation
internal import MeshModel
package import MixerAPI
internal import SwiftProtobuf

/// Reads attributes as proxies send them, with numbers of words in place of texts.
///
/// A number that stands for no word, or a value that is none, refuses the whole message: guessing could turn a deny
/// into an allow. Attributes that no manifest knows are left out, as no expression can name them.
package struct AttributeDecoder: Sendable {
    /// Why a message was refused; to the caller this is INVALID_ARGUMENT.
    package struct Malformed: Error, Sendable, Hashable, CustomStringConvertible {
        package var description: String
    }

    private let vocabulary: AttributeVocabulary
    private let globalWords: [String]

    /// A decoder for any client, whichever part of the global list it knows: all lists begin with the same words.
    ///
    /// A client that knows more than we do is read all the same, and refused where it uses a word that we lack. Mixer
    /// answers INTERNAL to every message of such a client, which clients take for a failure of the network and let
    /// requests pass.
    package init(vocabulary: AttributeVocabulary) {
        self.vocabulary = vocabulary
        self.globalWords = GlobalWords.standard.words
    }

    /// Adds the attributes of `message` to `bag`, over what it has. A message that brings no words has `defaultWords`.
    package func decode(
        _ message: Istio_Mixer_V1_CompressedAttributes,
        into bag: inout AttributeBag,
        defaultWords: [String] = []
    ) throws(Malformed) {
        let words = Words(global: self.globalWords, own: message.words.isEmpty ? defaultWords : message.words)
        for (name, value) in message.strings {
            let text = try words.text(value)
            try self.add(name, words, &bag) { type throws(Malformed) in
                switch type {
                case .emailAddress: .emailAddress(text)
                case .dnsName: .dnsName(text)
                case .uri: .uri(text)
                case .string, .int64, .double, .bool, .timestamp, .duration, .ipAddress, .stringMap: .string(text)
                }
            }
        }
        for (name, value) in message.int64S { try self.add(name, words, &bag) { _ throws(Malformed) in .int64(value) } }
        for (name, value) in message.doubles {
            try self.add(name, words, &bag) { _ throws(Malformed) in .double(value) }
        }
        for (name, value) in message.bools { try self.add(name, words, &bag) { _ throws(Malformed) in .bool(value) } }
        for (name, value) in message.timestamps {
            try self.add(name, words, &bag) { _ throws(Malformed) in
                guard let timestamp = Timestamp(seconds: value.seconds, nanoseconds: value.nanos) else {
                    throw Malformed(description: "attribute `\(try words.text(name))` is no moment")
                }
                return .timestamp(timestamp)
            }
        }
        for (name, value) in message.durations {
            try self.add(name, words, &bag) { _ throws(Malformed) in
                // The bounds of google.protobuf.Duration: ten thousand years.
                guard (-315_576_000_000...315_576_000_000).contains(value.seconds),
                    value.nanos.magnitude < 1_000_000_000
                else { throw Malformed(description: "attribute `\(try words.text(name))` is no duration") }
                return .duration(.seconds(value.seconds) + .nanoseconds(value.nanos))
            }
        }
        for (name, value) in message.bytes {
            try self.add(name, words, &bag) { type throws(Malformed) in
                guard type == .ipAddress, let address = AttributeValue.address(bytes: value) else {
                    throw Malformed(
                        description:
                            "attribute `\(try words.text(name))`, \(type), has \(value.count) bytes, which is none"
                    )
                }
                return address
            }
        }
        for (name, value) in message.stringMaps {
            var entries: [String: String] = [:]
            entries.reserveCapacity(value.entries.count)
            for (key, value) in value.entries { entries[try words.text(key)] = try words.text(value) }
            try self.add(name, words, &bag) { _ throws(Malformed) in .stringMap(entries) }
        }
    }

    /// The closures above make the value only for names that the vocabulary has.
    private func add(
        _ number: Int32,
        _ words: Words,
        _ bag: inout AttributeBag,
        _ value: (ValueType) throws(Malformed) -> AttributeValue
    ) throws(Malformed) {
        let name = try words.text(number)
        guard let slot = self.vocabulary.slot(of: name) else { return }
        bag[slot] = try value(self.vocabulary.attributes[slot].type)
    }

    private struct Words {
        let global: [String]
        let own: [String]

        /// From 0 on: the global list; from -1 down: the message's own words.
        func text(_ number: Int32) throws(Malformed) -> String {
            let index = number >= 0 ? Int(number) : -1 - Int(number)
            let list = number >= 0 ? self.global : self.own
            guard index < list.count else {
                throw Malformed(
                    description: number >= 0
                        ? "word \(number) of the global list, which has \(list.count) here"
                        : "word \(number) of a message that has \(list.count) words"
                )
            }
            return list[index]
        }
    }
}
