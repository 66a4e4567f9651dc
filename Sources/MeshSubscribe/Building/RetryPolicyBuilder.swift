internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

extension TrafficEngine.RetryPolicy {
    /// Envoy's words that we know.
    private static let words: [String: Causes] = [
        "connect-failure": .connectFailure, "refused-stream": .refusedStream, "unavailable": .unavailable,
        "cancelled": .cancelled, "retriable-status-codes": .retriableStatusCodes, "5xx": .serverError,
        "gateway-error": .gatewayError, "reset": .reset, "reset-before-request": .resetBeforeRequest,
        "retriable-4xx": .retriable4xx,
    ]

    init?(_ message: Envoy_Config_Route_V3_RetryPolicy, at path: String, _ findings: inout Findings) {
        var causes: Causes = []
        for word in message.retryOn.split(whereSeparator: { $0 == "," || $0 == " " }) {
            // Of HTTP/3, which no connection of ours speaks.
            if word == "http3-post-connect-failure" { continue }
            guard let cause = Self.words[String(word)] else {
                let known = Self.words.keys.sorted().joined(separator: ", ")
                findings.add("\(path).retry_on", "`\(word)` is not supported; supported: \(known)")
                continue
            }
            causes.insert(cause)
        }
        guard !causes.isEmpty else { return nil }
        let base = message.retryBackOff.hasBaseInterval ? message.retryBackOff.baseInterval.value : .milliseconds(25)
        if message.hasRetryBackOff, base <= .zero {
            findings.add("\(path).retry_back_off.base_interval", "must be more than 0")
        }
        self.init(
            retriesMax: message.hasNumRetries ? message.numRetries.value : 1,
            causes: causes,
            statusCodes: message.retriableStatusCodes.map(Int.init),
            perTryTimeout: message.hasPerTryTimeout ? message.perTryTimeout.limit : nil,
            backOffBase: base,
            backOffMax: message.retryBackOff.hasMaxInterval ? message.retryBackOff.maxInterval.value : base * 10
        )
    }
}
