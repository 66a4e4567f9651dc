internal import DNSWire

extension AnsweringCore {
    /// Answers a question as a client's, without counting it or remembering what it led to; calls back once.
    func trace(_ question: DNSQuestion, _ done: @escaping (DNSTraceStep) -> Void) {
        let host = self.table.host(of: question.name) ?? question.name
        switch self.table.answer(question, rotation: 0) {
        case .records(let records, _):
            guard case .cname(let target)? = records.last?.data, question.type == .a || question.type == .aaaa else {
                return done(
                    DNSTraceStep(
                        question: question,
                        source: .table(host: host),
                        code: .noError,
                        answers: records,
                        authorities: []
                    )
                )
            }
            // An alias of ours that leads to somebody else's name, or to one under a wildcard.
            self.traceMinted(DNSQuestion(name: target, type: question.type)) { step in
                var step = step
                step.question = question
                step.answers = records + step.answers
                done(step)
            }
        case .noData(let aliases, let authority):
            done(
                DNSTraceStep(
                    question: question,
                    source: .table(host: host),
                    code: .noError,
                    answers: aliases,
                    authorities: [authority]
                )
            )
        case .noName(let authority):
            done(
                DNSTraceStep(
                    question: question,
                    source: .zone,
                    code: .nameError,
                    answers: [],
                    authorities: [authority]
                )
            )
        case .notReady:
            done(
                DNSTraceStep(
                    question: question,
                    source: .notReady,
                    code: .serverFailure,
                    answers: [],
                    authorities: []
                )
            )
        case .unknown: self.traceMinted(question, done)
        }
    }

    /// A name under a wildcard, if it is one; asking for it here gives it no address that it does not have yet.
    private func traceMinted(_ question: DNSQuestion, _ done: @escaping (DNSTraceStep) -> Void) {
        switch self.minted?.plan(question) ?? .unrelated {
        case .unrelated: self.traceForward(question, done)
        case .ask(let name, let aliases):
            self.traceForward(DNSQuestion(name: name, type: question.type)) { step in
                var step = step
                step.question = question
                step.answers = aliases + step.answers
                done(step)
            }
        case .records(let records): done(Self.minted(question, records, []))
        case .noData(let authority): done(Self.minted(question, [], [authority]))
        }
    }

    private static func minted(
        _ question: DNSQuestion,
        _ answers: [DNSRecord],
        _ authorities: [DNSRecord]
    ) -> DNSTraceStep {
        DNSTraceStep(
            question: question,
            source: .minted(host: answers.last?.name ?? question.name),
            code: .noError,
            answers: answers,
            authorities: authorities
        )
    }

    private func traceForward(_ question: DNSQuestion, _ done: @escaping (DNSTraceStep) -> Void) {
        let query = DNSQuery(
            header: DNSHeader(id: 0, flags: 0x0100),
            question: question,
            edns: DNSExtension(payloadMax: DNSRequest.payloadMax)
        )
        self.forward(query) { result in
            switch result {
            case .answer(let answer):
                done(
                    DNSTraceStep(
                        question: question,
                        source: answer.traceSource,
                        code: answer.code,
                        answers: answer.message?.answers ?? [],
                        authorities: answer.message?.authorities ?? []
                    )
                )
            case .failed:
                done(
                    DNSTraceStep(
                        question: question,
                        source: .nobody,
                        code: .serverFailure,
                        answers: [],
                        authorities: []
                    )
                )
            }
        }
    }
}

extension ForwardedAnswer {
    fileprivate var traceSource: DNSTraceStep.Source {
        switch self.origin {
        case .forwarded: .upstream(self.server)
        case .cached: .cached(self.server, isStale: false)
        case .stale: .cached(self.server, isStale: true)
        }
    }
}
