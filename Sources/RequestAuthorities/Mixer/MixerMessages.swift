internal import Foundation
internal import MeshModel
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

    /// The answer, and what it wants that cannot be done, for people.
    ///
    /// A verdict stays one, whatever else the engine wants: a refusal is made without what cannot be done, and a
    /// request that may pass only with it is refused. Neither is a failure to ask, after which requests may pass.
    static func answer(
        _ response: Istio_Mixer_V1_CheckResponse,
        to question: MixerQuestion
    ) -> (answer: MixerAnswer, unusable: [String]) {
        guard response.hasPrecondition else { return (.failed("the answer says nothing of the request"), []) }
        let precondition = response.precondition
        var unusable: [String] = []
        let verdict = Self.verdict(precondition, &unusable)
        var answer = CheckAnswer(verdict)
        // Where the proxy refuses by itself, the engine's next answer may be another.
        if verdict.status.isOK || precondition.status.code != 0 {
            answer.validDuration = Self.duration(precondition.validDuration)
            answer.validUseCount = precondition.validUseCount
        }
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
        return (.answered(answer), unusable)
    }

    private static func verdict(
        _ precondition: Istio_Mixer_V1_CheckResponse.PreconditionResult,
        _ unusable: inout [String]
    ) -> CheckVerdict {
        let directive = precondition.routeDirective
        var verdict = CheckVerdict(Self.status(precondition.status))
        for operation in directive.requestHeaderOperations {
            let isTaken =
                operation.name.first == ":"
                ? Self.replace(operation, in: &verdict.requestLine)
                : Self.add(operation, to: &verdict.requestHeaders)
            if isTaken { continue }
            unusable.append("header `\(operation.name)` of the request may not be changed so")
        }
        for operation in directive.responseHeaderOperations where !Self.add(operation, to: &verdict.responseHeaders) {
            unusable.append("header `\(operation.name)` of the response may not be changed so")
        }
        let direct = Int(directive.directResponseCode)
        if direct == 0 || MessageChanges.statuses.contains(direct) {
            verdict.directStatus = direct
        } else {
            unusable.append("\(direct) is no status of an answer")
        }
        verdict.directBody = String(directive.directResponseBody.prefix(Self.textBytesMax))
        guard verdict.status.isOK, let first = unusable.first else { return verdict }
        return CheckVerdict(
            MixerStatus(code: Self.unavailable, message: "the policy engine cannot be obeyed: \(first)")
        )
    }

    /// UNAVAILABLE of gRPC, which is what a failure behind the engine is, too.
    private static let unavailable: Int32 = 14

    private static func status(_ status: Google_Rpc_Status) -> MixerStatus {
        MixerStatus(code: status.code, message: String(status.message.prefix(Self.textBytesMax)))
    }

    /// The bounds of the type are ten thousand years; what is beyond holds no longer than for now.
    private static func duration(_ duration: Google_Protobuf_Duration) -> Duration {
        (0...315_576_000_000).contains(duration.seconds)
            ? .seconds(duration.seconds) + .nanoseconds(Int64(duration.nanos)) : .zero
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
