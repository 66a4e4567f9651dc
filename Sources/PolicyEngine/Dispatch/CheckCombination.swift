/// Makes one answer of those of several handlers.
///
/// Each may only shorten what the others allow: the shortest duration and the smallest count of uses hold, one refusal
/// refuses. Of several refusals the first one's code counts, in the order of the rules, and the texts of all stand
/// side by side.
struct CheckCombination: Sendable {
    private var validDuration: Duration?
    /// `nil`: any number.
    private var validUseCount: Int32?
    private var code = PolicyStatus.Code.ok
    private var messages: [String] = []
    private var response: DirectResponse?

    mutating func add(_ result: CheckResult, of origin: String) {
        self.validDuration = min(self.validDuration ?? result.validDuration, result.validDuration)
        if result.validUseCount >= 0 {
            self.validUseCount = min(self.validUseCount ?? result.validUseCount, result.validUseCount)
        }
        guard !result.status.isOK else { return }
        if self.messages.isEmpty {
            self.code = result.status.code
            self.response = result.response
        }
        self.messages.append("\(origin):\(result.status.message)")
    }

    var isRefusal: Bool { !self.messages.isEmpty }

    /// Of no answers at all: that the request is not checked.
    var result: CheckResult {
        guard let validDuration else { return .unchecked }
        return CheckResult(
            PolicyStatus(self.code, self.messages.joined(separator: ", ")),
            validDuration: validDuration,
            validUseCount: self.validUseCount ?? -1,
            response: self.response
        )
    }
}
