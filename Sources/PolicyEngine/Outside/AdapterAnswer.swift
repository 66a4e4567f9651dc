internal import Foundation
internal import MixerAPI
internal import SwiftProtobuf

/// Reads the answers of adapters outside; `nil` is no answer.
enum AdapterAnswer {
    static func check(_ bytes: [UInt8], _ template: OutsideTemplate) -> CheckResult? {
        switch template.answer {
        case .plain: return self.check(bytes[...])
        case .withOutput(let result, let output, let type):
            var resultBytes: ArraySlice<UInt8> = []
            var outputBytes: ArraySlice<UInt8> = []
            var reader = WireReader(bytes)
            while let field = reader.next() {
                guard case .bytes(let content) = field.value else { continue }
                if field.number == result { resultBytes = content }
                if field.number == output { outputBytes = content }
            }
            guard !reader.isBroken, var answer = self.check(resultBytes),
                let values = OutputReader(template.descriptors).read(outputBytes, as: type)
            else { return nil }
            answer.output = values
            return answer
        }
    }

    private static func check(_ bytes: ArraySlice<UInt8>) -> CheckResult? {
        guard let message = try? Istio_Mixer_Adapter_Model_V1beta1_CheckResult(serializedBytes: Array(bytes)) else {
            return nil  // The caller says that it is none.
        }
        return CheckResult(
            self.verdict(message.status),
            validDuration: self.duration(message.validDuration),
            validUseCount: message.validUseCount,
            response: self.response(message.status)
        )
    }

    /// What the adapter wants the client of a refused request to be told. One that cannot be read is none: it is refused
    /// in any case.
    private static func response(_ status: Google_Rpc_Status) -> DirectResponse? {
        let details = status.details.first { $0.typeURL.hasSuffix(DirectResponse.messageName) }
        return details.flatMap { DirectResponse(encoded: $0.value) }
    }

    /// Proxies take INTERNAL for a broken network, and may have been told to let requests pass then; so a refusal with
    /// this code is one with UNKNOWN, as is one with a code that there is not.
    static func verdict(_ status: Google_Rpc_Status) -> PolicyStatus {
        let isKnown = (0...16).contains(status.code) && status.code != 13
        guard !isKnown else { return PolicyStatus(PolicyStatus.Code(status.code), status.message) }
        return PolicyStatus(.unknown, "code \(status.code): \(status.message)")
    }

    private static func duration(_ duration: Google_Protobuf_Duration) -> Duration {
        // A negative one, or one beyond what protobuf allows, is valid for no time.
        guard (0...315_576_000_000).contains(duration.seconds), (0..<1_000_000_000).contains(duration.nanos) else {
            return .zero
        }
        return .seconds(duration.seconds) + .nanoseconds(Int64(duration.nanos))
    }

    static func quota(_ bytes: [UInt8], _ name: String, asked: Int64) -> QuotaResult? {
        guard let message = try? Istio_Mixer_Adapter_Model_V1beta1_QuotaResult(serializedBytes: bytes),
            let result = message.quotas[name]
        else { return nil }  // The caller says that it is none.
        return QuotaResult(
            self.verdict(result.status),
            validDuration: self.duration(result.validDuration),
            // No more than what was asked for.
            amount: min(max(0, result.grantedAmount), max(0, asked))
        )
    }

    static func validation(_ bytes: [UInt8]) -> PolicyStatus? {
        guard let message = try? Istio_Mixer_Adapter_Model_V1beta1_ValidateResponse(serializedBytes: bytes) else {
            return nil  // The caller says that it is none.
        }
        return self.verdict(message.status)
    }

    static func session(_ bytes: [UInt8]) -> (id: String, status: PolicyStatus)? {
        guard let message = try? Istio_Mixer_Adapter_Model_V1beta1_CreateSessionResponse(serializedBytes: bytes) else {
            return nil  // The caller says that it is none.
        }
        return (message.sessionID, self.verdict(message.status))
    }
}
