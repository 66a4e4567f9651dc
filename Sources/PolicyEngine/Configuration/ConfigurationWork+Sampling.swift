internal import KubernetesAPI

extension ConfigurationWork {
    private static let requestID = #"request.headers["x-request-id"]"#

    /// What a rule says of sampling; `nil`: nothing, or with mistakes.
    mutating func sampling(_ object: KubernetesObject) -> RuleSampling? {
        guard let value = object.spec["sampling"], !value.isNull else { return nil }
        let reader = SettingsReader(value, path: "spec.sampling")
        let share = reader.object("random").map { self.share($0) }
        let limit = reader.object("rateLimit").flatMap { self.limit($0, of: object) }
        let mistakes = reader.mistakes
        for mistake in mistakes { self.diagnose(object, mistake.field, mistake.message, cause: mistake.cause) }
        guard mistakes.isEmpty, share != nil || limit != nil else { return nil }
        let environment = self.settings.environment
        return RuleSampling(share: share, limit: limit, now: environment.now, random: environment.random)
    }

    private func share(_ reader: SettingsReader) -> RuleSampling.Share {
        var share = RuleSampling.Share(numerator: 0, denominator: .hundred)
        let percent = reader.object("percentSampled")
        if let percent {
            share.numerator = Double(percent.whole("numerator", in: 0...Int64(UInt32.max)) ?? 0)
            share.denominator = percent.word("denominator", RuleSampling.Denominator.self) ?? .hundred
        }
        let source = reader.text("attributeExpression") ?? ""
        if !source.isEmpty {
            do throws(ExpressionError) {
                let expression = try CompiledExpression(source, vocabulary: self.vocabulary)
                switch expression.type {
                case .int64, .double: share.expression = expression
                default: reader.complain("attributeExpression", "is no number; in: \(source)")
                }
            } catch {
                reader.complain("attributeExpression", "\(error); in: \(source)")
            }
        } else if percent == nil {
            reader.complain("percentSampled", "is missing: how many are reported; so none is")
        }
        if !(reader.truth("useIndependentRandomness") ?? false) {
            // A vocabulary without headers has no such requests.
            share.requestID = try? CompiledExpression(Self.requestID, vocabulary: self.vocabulary, wanted: .string)
        }
        return share
    }

    private func limit(_ reader: SettingsReader, of object: KubernetesObject) -> SampleLimit? {
        let window = reader.duration("samplingDuration")
        let settings = SampleLimit.Settings(
            window: window ?? .zero,
            unsampledMax: reader.whole("maxUnsampledEntries", in: 0 ... .max) ?? 0,
            rate: reader.whole("samplingRate", in: 0 ... .max) ?? 0
        )
        if reader.value("samplingDuration") == nil {
            reader.complain("samplingDuration", "is missing: for how long is counted, such as \"1s\"")
        } else if window == .zero {
            reader.complain("samplingDuration", "is no time to count in")
        }
        if settings.unsampledMax == 0, settings.rate == 0, reader.mistakes.isEmpty {
            reader.complain("samplingRate", "is missing, as is maxUnsampledEntries; so none is reported")
        }
        // The same one goes on counting.
        let rules = self.settings.previous.rules[object.namespace ?? "default"] ?? []
        let earlier = rules.first { $0.name == object.name }?.sampling?.limit
        return earlier?.settings == settings ? earlier : SampleLimit(settings)
    }
}
