internal import RequestReports

/// A revision's annotations `autoscaling.knative.dev/…` over the cluster's defaults.
///
/// Each has two spellings, `min-scale` and the older `minScale`; if both are there, the first counts.
package struct ScalingAnnotations: Sendable, Hashable {
    package static let prefix = "autoscaling.knative.dev/"
    package static let progressDeadline = "serving.knative.dev/progress-deadline"
    /// Pods that do not come up are reported by their Deployment first, then the revision is given up.
    static let activationBuffer: Duration = .seconds(30)

    /// Every annotation, by its newer name.
    package static let names = [
        "class", "metric", "target", "target-utilization-percentage", "target-burst-capacity", "window",
        "panic-window-percentage", "panic-threshold-percentage", "metric-aggregation-algorithm", "min-scale",
        "max-scale",
        "initial-scale", "activation-scale", "scale-down-delay", "scale-to-zero-pod-retention-period",
    ]

    /// `kpa.autoscaling.knative.dev`, or that of another autoscaler, which then does all the work.
    package var autoscalerClass: String
    package var settings: ScalingSettings

    /// Whether we scale it.
    package var isOurs: Bool { self.autoscalerClass == AutoscalerDefaults.ownClass }

    /// Both spellings of an annotation: `…/min-scale`, `…/minScale`.
    static func spellings(_ name: String) -> [String] {
        let words = name.split(separator: "-")
        let camel = words.dropFirst().reduce(String(words.first ?? "")) {
            $0 + $1.prefix(1).uppercased() + $1.dropFirst()
        }
        return camel == name ? [Self.prefix + name] : [Self.prefix + name, Self.prefix + camel]
    }

    /// Reads a revision's annotations. What cannot be used keeps its default and is told.
    ///
    /// `containerConcurrency`: how many requests one pod of the revision takes at once; zero: any number.
    package static func parse(
        _ annotations: [String: String],
        containerConcurrency: Int = 0,
        defaults: AutoscalerDefaults = AutoscalerDefaults()
    ) -> (annotations: ScalingAnnotations, problems: [SettingProblem]) {
        var reader = SettingReader(annotations)
        var parsed = ScalingAnnotations(autoscalerClass: defaults.autoscalerClass, settings: defaults.settings)
        reader.read(
            Self.spellings("class"),
            into: &parsed.autoscalerClass,
            expected: "\(AutoscalerDefaults.ownClass), hpa.autoscaling.knative.dev, or a class outside knative.dev"
        ) { text in
            let isKnown = text == AutoscalerDefaults.ownClass || text == "hpa.autoscaling.knative.dev"
            return text.isEmpty || (text.hasSuffix(".knative.dev") && !isKnown) ? nil : text
        }
        // Another autoscaler may give the rest a meaning of its own.
        guard parsed.isOurs else { return (parsed, reader.problems) }
        Self.readTarget(&reader, into: &parsed.settings, containerConcurrency, defaults)
        Self.readWindows(&reader, into: &parsed.settings, defaults)
        Self.readScales(&reader, into: &parsed.settings, defaults)
        Self.refuseUnknown(&reader)
        return (parsed, reader.problems)
    }

    private static func readTarget(
        _ reader: inout SettingReader,
        into settings: inout ScalingSettings,
        _ containerConcurrency: Int,
        _ defaults: AutoscalerDefaults
    ) {
        reader.read(
            Self.spellings("metric"),
            into: &settings.metric,
            expected: "concurrency or rps; cpu and memory need class hpa.autoscaling.knative.dev"
        ) { ScalingMetric(rawValue: $0) }
        var utilization = defaults.utilization * 100
        reader.number(Self.spellings("target-utilization-percentage"), into: &utilization, in: 1...100)
        var capacity =
            switch settings.metric {
            case .concurrency:
                containerConcurrency > 0 ? Double(containerConcurrency) : defaults.concurrencyTarget
            case .requestsPerSecond: defaults.requestsPerSecondTarget
            }
        reader.number(
            Self.spellings("target"),
            into: &capacity,
            in: AutoscalerDefaults.targetMin...Double.greatestFiniteMagnitude
        )
        // A pod never gets more at once than its container takes.
        if settings.metric == .concurrency, containerConcurrency > 0 {
            capacity = min(capacity, Double(containerConcurrency))
        }
        settings.capacity = capacity
        settings.target = max(AutoscalerDefaults.targetMin, capacity * utilization / 100)
        reader.burst(Self.spellings("target-burst-capacity"), into: &settings.burstCapacity)
    }

    private static func readWindows(
        _ reader: inout SettingReader,
        into settings: inout ScalingSettings,
        _ defaults: AutoscalerDefaults
    ) {
        let retention = AutoscalerDefaults.retention
        reader.duration(
            Self.spellings("window"),
            into: &settings.stableWindow,
            in: AutoscalerDefaults.window,
            wholeSeconds: true
        )
        var percentage = defaults.panicWindowPercentage
        reader.number(Self.spellings("panic-window-percentage"), into: &percentage, in: 1...100)
        settings.panicWindow = max(.seconds(1), (settings.stableWindow * percentage / 100).roundedToSeconds)
        var threshold = settings.panicThreshold * 100
        reader.number(Self.spellings("panic-threshold-percentage"), into: &threshold, in: 110...1000)
        settings.panicThreshold = threshold / 100
        reader.read(
            Self.spellings("metric-aggregation-algorithm"),
            into: &settings.averaging,
            expected: "linear or weighted-exponential"
        ) { text in
            switch text {
            case "linear", "": .linear
            case "weighted-exponential", "weightedExponential": .weightedExponential
            default: nil
            }
        }
        reader.duration(
            Self.spellings("scale-down-delay"),
            into: &settings.scaleDownDelay,
            in: retention,
            wholeSeconds: true
        )
        reader.duration(
            Self.spellings("scale-to-zero-pod-retention-period"),
            into: &settings.podRetention,
            in: retention,
            wholeSeconds: false
        )
        var deadline = settings.activationTimeout - Self.activationBuffer
        reader.duration(
            [Self.progressDeadline],
            into: &deadline,
            in: .seconds(1) ... .seconds(86_400),
            wholeSeconds: true
        )
        settings.activationTimeout = deadline + Self.activationBuffer
    }

    private static func readScales(
        _ reader: inout SettingReader,
        into settings: inout ScalingSettings,
        _ defaults: AutoscalerDefaults
    ) {
        reader.whole(Self.spellings("min-scale"), into: &settings.minScale)
        let limit = defaults.maxScaleLimit
        reader.read(
            Self.spellings("max-scale"),
            into: &settings.maxScale,
            expected: limit > 0
                ? "a whole number from 1 to \(limit), the cluster's max-scale-limit"
                : "a whole number from 0 (no limit) to \(Int32.max)"
        ) { text in
            let range = limit > 0 ? 1...limit : 0...Int(Int32.max)
            return Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
        if settings.maxScale > 0, settings.maxScale < settings.minScale {
            let (name, value) = reader.find(Self.spellings("max-scale")) ?? ("max-scale", String(settings.maxScale))
            reader.refuse(name, value, expected: "0 (no limit) or at least \(settings.minScale), which min-scale is")
            settings.maxScale = settings.minScale
        }
        let isZeroAllowed = defaults.isZeroInitialScaleAllowed
        reader.whole(
            Self.spellings("initial-scale"),
            into: &settings.initialScale,
            from: isZeroAllowed ? 0 : 1,
            isZeroAllowed ? "" : "; 0 only with allow-zero-initial-scale: \"true\" in config-autoscaler"
        )
        Self.readActivationScale(&reader, into: &settings)
    }

    private static func readActivationScale(_ reader: inout SettingReader, into settings: inout ScalingSettings) {
        let names = Self.spellings("activation-scale")
        reader.whole(names, into: &settings.activationScale, from: 1)
        if settings.maxScale > 0, settings.activationScale > settings.maxScale, let (name, value) = reader.find(names) {
            reader.refuse(name, value, expected: "at most \(settings.maxScale), which max-scale is")
            settings.activationScale = settings.maxScale
        }
    }

    private static func refuseUnknown(_ reader: inout SettingReader) {
        let known = Set(Self.names.flatMap(Self.spellings))
        for (name, value) in reader.values.sorted(by: { $0.key < $1.key })
        where name.hasPrefix(Self.prefix) && !known.contains(name) {
            let names = Self.names.map { Self.prefix + $0 }.joined(separator: ", ")
            reader.refuse(name, value, expected: "one of the annotations \(names)")
        }
    }
}
