import Synchronization
import TrafficEngine

/// A verifier and a service that answer as the test wants, from another thread.
final class TestAuthorities: TokenVerifying, RequestAuthorizing {
    let verdict: TokenVerdict
    let answersAtOnce: Bool
    let answer: AuthorizationAnswer
    private let asked = Mutex<[AuthorizationQuestion]>([])

    init(
        verdict: TokenVerdict = .refused(.badSignature),
        answersAtOnce: Bool = true,
        answer: AuthorizationAnswer = .failed("not asked")
    ) {
        self.verdict = verdict
        self.answersAtOnce = answersAtOnce
        self.answer = answer
    }

    var questions: [AuthorizationQuestion] { self.asked.withLock { $0 } }

    func verify(
        _ token: PresentedToken,
        policy: TokenPolicy,
        completion: @escaping @Sendable (TokenVerdict) -> Void
    ) -> TokenVerdict? {
        if self.answersAtOnce { return self.verdict }
        completion(self.verdict)
        return nil
    }

    func authorize(
        _ question: AuthorizationQuestion,
        policy: ExternalPolicy,
        completion: @escaping @Sendable (AuthorizationAnswer) -> Void
    ) {
        self.asked.withLock { $0.append(question) }
        completion(self.answer)
    }
}
