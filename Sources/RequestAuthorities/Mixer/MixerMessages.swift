internal import Foundation
internal import MixerAPI
internal import SwiftProtobuf
internal import TrafficEngine

/// What the policy engine is asked and told, and its answers, on the wire (`istio.mixer.v1`).
enum MixerMessages {
    /// How many words of the global list we know.
    private static let wordCount = GlobalWords.standard.words.count
    /// A text of an answer is cut here.
    private static let textBytesMax = 64 * 1024

    // MARK: Asking and telling

    static func request(_ question: MixerQuestion) -> Istio_Mixer_V1_CheckRequest {
        .with {
            $0.attributes = Self.compressed(question.attributes)
            $0.globalWordCount = UInt32(Self.wordCount)
            $0.deduplicationID = question.deduplicationID
            for charge in question.charges {
                $0.quotas[charge.quota] = .with {
                    $0.amount = charge.asked
                    $0.bestEffort = charge.asked > charge.amount
                }
            }
        }
    }

    private static func compressed(_ values: [String: MixerValue]) -> Istio_Mixer_V1_CompressedAttributes {
        var message = Istio_Mixer_V1_CompressedAttributes()
        var words = WordTable(globalWordCount: Self.wordCount)
        for (name, value) in values {
            let number = words.number(of: name)
            switch value {
            case .text(let text): message.strings[number] = words.number(of: text)
            case .number(let value): message.int64S[number] = value
            case .fraction(let value): message.doubles[number] = value
            case .truth(let truth): message.bools[number] = truth
            case .bytes(let bytes): message.bytes[number] = Data(bytes)
            case .moment(let milliseconds):
                message.timestamps[number] = .with {
                    $0.seconds = milliseconds / 1000
                    $0.nanos = Int32(milliseconds % 1000) * 1_000_000
                }
            case .duration(let duration): message.durations[number] = Google_Protobuf_Duration(rounding: duration)
            case .map(let entries):
                var map = Istio_Mixer_V1_StringMap()
                for (key, value) in entries { map.entries[words.number(of: key)] = words.number(of: value) }
                message.stringMaps[number] = map
            }
        }
        message.words = words.words
        return message
    }

    // MARK: Answers

    static func answer(_ response: Istio_Mixer_V1_CheckResponse, to question: MixerQuestion) -> MixerAnswer {
        guard response.hasPrecondition else { return .failed("the answer says nothing of the request") }
        let precondition = response.precondition
        var verdict = CheckVerdict(Self.status(precondition.status))
        for operation in precondition.routeDirective.requestHeaderOperations {
            let isTaken =
                operation.name.first == ":"
                ? Self.replace(operation, in: &verdict.requestLine)
                : Self.add(operation, to: &verdict.requestHeaders)
            guard isTaken else { return Self.refused(operation) }
        }
        for operation in precondition.routeDirective.responseHeaderOperations {
            guard Self.add(operation, to: &verdict.responseHeaders) else { return Self.refused(operation) }
        }
        let direct = precondition.routeDirective.directResponseCode
        guard direct == 0 || (200..<600).contains(direct) else { return .failed("\(direct) is no status of HTTP") }
        verdict.directStatus = Int(direct)
        verdict.directBody = String(precondition.routeDirective.directResponseBody.prefix(Self.textBytesMax))
        var answer = CheckAnswer(verdict)
        answer.validDuration = Self.duration(precondition.validDuration)
        answer.validUseCount = precondition.validUseCount
        answer.references = Self.references(precondition.referencedAttributes)
        for charge in question.charges {
            // A quota that the engine says nothing of is one that it does not limit.
            guard let quota = response.quotas[charge.quota] else { continue }
            answer.quotas[charge.quota] = QuotaAnswer(
                status: Self.status(quota.status),
                amount: quota.grantedAmount,
                validDuration: Self.duration(quota.validDuration),
                references: Self.references(quota.referencedAttributes)
            )
        }
        return .answered(answer)
    }

    private static func status(_ status: Google_Rpc_Status) -> MixerStatus {
        MixerStatus(code: status.code, message: String(status.message.prefix(Self.textBytesMax)))
    }

    /// The bounds of the type are ten thousand years; what is beyond holds no longer than for now.
    private static func duration(_ duration: Google_Protobuf_Duration) -> Duration {
        (0...315_576_000_000).contains(duration.seconds)
            ? .seconds(duration.seconds) + .nanoseconds(Int64(duration.nanos)) : .zero
    }

    private static func refused(_ operation: Istio_Mixer_V1_HeaderOperation) -> MixerAnswer {
        .failed("header `\(operation.name)` may not be changed so")
    }

    /// A request has one method, one path and one authority, so that there is nothing to add to, or to leave out.
    private static func replace(
        _ operation: Istio_Mixer_V1_HeaderOperation,
        in edits: inout RequestLineEdits
    ) -> Bool {
        operation.operation == .replace
            && RequestLineChecks.replace(operation.name, with: operation.value, in: &edits)
    }

    private static func add(_ operation: Istio_Mixer_V1_HeaderOperation, to edits: inout HeaderEdits) -> Bool {
        guard let entry = HeaderChecks.entry(operation.name, operation.value.utf8) else { return false }
        switch operation.operation {
        case .replace: edits.set.append(entry)
        case .remove: edits.remove.append(entry.name)
        case .append: edits.add.append(entry)
        case .UNRECOGNIZED: return false
        }
        return true
    }

    /// `nil`: something is not understood, so that nobody can tell for which requests the answer holds.
    private static func references(_ message: Istio_Mixer_V1_ReferencedAttributes) -> [CheckReference]? {
        var references: [CheckReference] = []
        for match in message.attributeMatches {
            guard let name = Self.word(match.name, message.words) else { return nil }
            var key: String?
            // 0 stands for "not read by key".
            if match.mapKey != 0 {
                guard let word = Self.word(match.mapKey, message.words) else { return nil }
                key = word
            }
            switch match.condition {
            case .absence: references.append(CheckReference(name: name, key: key, condition: .absent))
            case .exact: references.append(CheckReference(name: name, key: key, condition: .exact))
            case .regex:
                references.append(CheckReference(name: name, key: key, condition: .matching(match.regex)))
            case .unspecified, .UNRECOGNIZED: return nil
            }
        }
        return references
    }

    private static func word(_ number: Int32, _ own: [String]) -> String? {
        let index = number >= 0 ? Int(number) : -1 - Int(number)
        let list = number >= 0 ? GlobalWords.standard.words : own
        return index < list.count ? list[index] : nil
    }
}
