internal import TrafficEngine

/// Requests of scripts from other origins.
extension ServerExchange {
    /// Applies a route's rules; `true`: the request was a preflight, and is answered.
    func answersPreflight(_ bytes: UnsafeRawBufferPointer, _ policy: CrossOriginPolicy) -> Bool {
        switch self.withView(bytes, { policy.decide($0) }) {
        case .pass: return false
        case .mark(let edits):
            if self.mixing != nil { self.exchange.unmarkedEffects = self.exchange.effects }
            var effects = self.exchange.effects ?? PolicyEffects()
            effects.responseHeaders = effects.responseHeaders.then(edits)
            self.exchange.effects = effects
            self.exchange.crossOrigin = edits
            return false
        case .answer(let edits):
            self.captureRequest(bytes, path: nil)
            self.exchange.details = "cors_response"
            self.reply(status: 200, .answeredByRoute, [], edits: edits)
            return true
        }
    }
}
