internal import NIOCore
internal import TrafficEngine

/// Policies in front of a request's route.
extension ServerExchange {
    func askPolicies(_ bytes: UnsafeRawBufferPointer) {
        let gate =
            self.gate ?? PolicyGate(worker: self.worker, policies: self.policing.policies, manager: self.policing)
        self.gate = gate
        let fields = self.scanner.fields
        let form = CheckedBody.Form(isChunked: self.exchange.bodyForm == .chunks, length: fields.contentLength)
        let body = self.machine.request == .complete ? nil : form
        let outcome = self.withView(bytes) { view in
            gate.begin(view, facts: self.facts, body: body) { outcome in self.policiesAnswered(outcome) }
        }
        switch outcome {
        case .waiting:
            self.exchange.parked.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[..<self.scanner.headCount]))
            // Nobody else tells the client to go on with the body that the request waits for (RFC 9110 10.1.1).
            if gate.wantsBody, fields.expectIndex >= 0 { self.writeInterim(Self.goOn) }
        case .allowed, .denied: self.policiesDecided(outcome, bytes)
        }
    }

    private static let goOn = ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")

    /// A service wants to see the body before the request goes on.
    final var policiesWantBody: Bool { self.exchange.parked.readableBytes > 0 && self.gate?.wantsBody ?? false }

    /// The answer that the request has waited for.
    private func policiesAnswered(_ outcome: PolicyOutcome) {
        guard self.exchange.isActive, self.exchange.parked.readableBytes > 0 else { return }
        let head = self.exchange.parked
        self.exchange.parked = ByteBuffer()
        head.withUnsafeReadableBytes { self.policiesDecided(outcome, $0) }
        if self.exchange.isActive { self.armTimer() }
        self.worker.flushWaiting()
    }

    private func policiesDecided(_ outcome: PolicyOutcome, _ bytes: UnsafeRawBufferPointer) {
        switch outcome {
        case .waiting: ()
        case .allowed(let effects):
            if !effects.isEmpty {
                self.exchange.effects = effects
                if !effects.shadowDetails.isEmpty { self.exchange.details = effects.shadowDetails }
                self.mixing?.note(dryRun: effects.dryRun)
            }
            self.route(bytes)
        case .denied(let denial):
            self.captureRequest(bytes, path: nil)
            self.mixing?.note(dryRun: denial.dryRun)
            self.exchange.details = denial.details
            self.reply(status: denial.status, denial.reason, denial.body, edits: denial.headers)
        }
    }
}
