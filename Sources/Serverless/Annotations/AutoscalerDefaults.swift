package import KubernetesAPI

/// The cluster's defaults for scaling: the ConfigMap `config-autoscaler` in the namespace of Knative.
///
/// | Key | Default | Allowed |
/// |---|---|---|
/// | `pod-autoscaler-class` | `kpa.autoscaling.knative.dev` | a class |
/// | `container-concurrency-target-percentage` | 70 | above 0 to 100; up to 1 is a fraction |
/// | `container-concurrency-target-default` | 100 | from 0.01 |
/// | `requests-per-second-target-default` | 200 | from 0.01 |
/// | `target-burst-capacity` | 211 | from 0, or -1: no limit |
/// | `stable-window` | 60s | 6s to 1h, whole seconds |
/// | `panic-window-percentage` | 10 | 1 to 100 |
/// | `panic-threshold-percentage` | 200 | 110 to 1000 |
/// | `max-scale-up-rate`, `max-scale-down-rate` | 1000, 2 | above 1 |
/// | `enable-scale-to-zero` | true | true, false |
/// | `scale-to-zero-grace-period` | 30s | above 0 |
/// | `scale-to-zero-pod-retention-period`, `scale-down-delay` | 0s | 0s to 1h |
/// | `min-scale`, `max-scale`, `max-scale-limit` | 0 | from 0 |
/// | `initial-scale` | 1 | from 1; from 0 with `allow-zero-initial-scale` |
/// | `activator-capacity` | 100 | from 1 |
package struct AutoscalerDefaults: Sendable, Hashable {
    package static let configMapName = "config-autoscaler"
    /// The class that is ours to scale.
    package static let ownClass = "kpa.autoscaling.knative.dev"
    static let targetMin = 0.01
    static let window: ClosedRange<Duration> = .seconds(6) ... .seconds(3600)
    static let retention: ClosedRange<Duration> = .zero ... .seconds(3600)

    package var autoscalerClass = Self.ownClass
    package var concurrencyTarget = 100.0
    package var requestsPerSecondTarget = 200.0
    /// The share of a pod's capacity that is aimed at.
    package var utilization = 0.7
    package var isZeroInitialScaleAllowed = false
    /// The largest maximum that a revision may ask for; zero: any, and none.
    package var maxScaleLimit = 0
    package var panicWindowPercentage = 10.0
    /// All that a revision's own annotations may change; target and capacity follow from the numbers above.
    package var settings = ScalingSettings()

    package init() {}

    /// What is known and means nothing here: comments, and settings that later versions of Knative took away.
    private static let ignored: Set<String> = [
        "_example", "tick-interval", "enable-graceful-scaledown", "enable-vertical-pod-autoscaling", "panic-window",
        "concurrency-quantum-of-time",
    ]

    /// Reads the data of the ConfigMap; keys that cannot be used keep their default and are told.
    package static func parse(_ data: [String: String]) -> (defaults: AutoscalerDefaults, problems: [SettingProblem]) {
        var defaults = AutoscalerDefaults()
        var reader = SettingReader(data)
        let positive = Double.leastNonzeroMagnitude...Double.greatestFiniteMagnitude
        reader.read(["pod-autoscaler-class"], into: &defaults.autoscalerClass, expected: "the name of a class") {
            $0.isEmpty ? nil : $0
        }
        reader.read(
            ["container-concurrency-target-percentage"],
            into: &defaults.utilization,
            expected: "a percentage above 0, up to 100; a number up to 1 is a fraction"
        ) { text in
            guard let number = SettingReader.parseNumber(text), positive.contains(number), number <= 100 else {
                return nil
            }
            return number > 1 ? number / 100 : number
        }
        let target = Self.targetMin...Double.greatestFiniteMagnitude
        reader.number(["container-concurrency-target-default"], into: &defaults.concurrencyTarget, in: target)
        reader.number(["requests-per-second-target-default"], into: &defaults.requestsPerSecondTarget, in: target)
        reader.burst(["target-burst-capacity"], into: &defaults.settings.burstCapacity)
        reader.number(
            ["activator-capacity"],
            into: &defaults.settings.activatorCapacity,
            in: 1...Double.greatestFiniteMagnitude
        )
        for (name, path) in [
            ("max-scale-up-rate", \ScalingSettings.scaleUpRateMax),
            ("max-scale-down-rate", \ScalingSettings.scaleDownRateMax),
        ] {
            reader.read([name], into: &defaults.settings[keyPath: path], expected: "a number above 1") {
                SettingReader.parseNumber($0).flatMap { $0 > 1 ? $0 : nil }
            }
        }
        Self.readWindows(&reader, into: &defaults)
        Self.readScales(&reader, into: &defaults)
        let known = Self.keys.union(Self.ignored)
        for name in data.keys.sorted() where !known.contains(name) {
            reader.refuse(
                name,
                data[name] ?? "",
                expected: "one of the keys \(Self.keys.sorted().joined(separator: ", "))"
            )
        }
        return (defaults, reader.problems)
    }

    /// Reads what a change of the ConfigMap leaves; without one all defaults hold.
    package static func parse(_ change: ObjectChange) -> (defaults: AutoscalerDefaults, problems: [SettingProblem]) {
        switch change {
        case .replacedAll(let objects): Self.parse(objects.first?.json["data"]?.stringMap ?? [:])
        case .added(let object), .modified(let object): Self.parse(object.json["data"]?.stringMap ?? [:])
        case .deleted: Self.parse([:])
        }
    }

    private static func readWindows(_ reader: inout SettingReader, into defaults: inout AutoscalerDefaults) {
        reader.duration(["stable-window"], into: &defaults.settings.stableWindow, in: Self.window, wholeSeconds: true)
        reader.number(["panic-window-percentage"], into: &defaults.panicWindowPercentage, in: 1...100)
        var threshold = defaults.settings.panicThreshold * 100
        reader.number(["panic-threshold-percentage"], into: &threshold, in: 110...1000)
        defaults.settings.panicThreshold = threshold / 100
        reader.truth(["enable-scale-to-zero"], into: &defaults.settings.isScaleToZeroEnabled)
        reader.duration(
            ["scale-to-zero-grace-period"],
            into: &defaults.settings.scaleToZeroGrace,
            in: .milliseconds(1) ... .seconds(86_400),
            wholeSeconds: false
        )
        reader.duration(
            ["scale-to-zero-pod-retention-period"],
            into: &defaults.settings.podRetention,
            in: Self.retention,
            wholeSeconds: false
        )
        reader.duration(
            ["scale-down-delay"],
            into: &defaults.settings.scaleDownDelay,
            in: Self.retention,
            wholeSeconds: true
        )
    }

    private static func readScales(_ reader: inout SettingReader, into defaults: inout AutoscalerDefaults) {
        reader.truth(["allow-zero-initial-scale"], into: &defaults.isZeroInitialScaleAllowed)
        reader.whole(
            ["initial-scale"],
            into: &defaults.settings.initialScale,
            from: defaults.isZeroInitialScaleAllowed ? 0 : 1,
            defaults.isZeroInitialScaleAllowed ? "" : "; 0 only with allow-zero-initial-scale: \"true\""
        )
        reader.whole(["min-scale"], into: &defaults.settings.minScale)
        reader.whole(["max-scale-limit"], into: &defaults.maxScaleLimit)
        reader.whole(["max-scale"], into: &defaults.settings.maxScale)
        let limit = defaults.maxScaleLimit
        if limit > 0, !(1...limit).contains(defaults.settings.maxScale) {
            reader.refuse(
                "max-scale",
                String(defaults.settings.maxScale),
                expected: "a whole number from 1 to \(limit), which max-scale-limit is"
            )
            defaults.settings.maxScale = limit
        }
    }

    static let keys: Set<String> = [
        "pod-autoscaler-class", "container-concurrency-target-percentage", "container-concurrency-target-default",
        "requests-per-second-target-default", "target-burst-capacity", "activator-capacity", "max-scale-up-rate",
        "max-scale-down-rate", "stable-window", "panic-window-percentage", "panic-threshold-percentage",
        "enable-scale-to-zero", "scale-to-zero-grace-period", "scale-to-zero-pod-retention-period", "scale-down-delay",
        "allow-zero-initial-scale", "initial-scale", "min-scale", "max-scale", "max-scale-limit",
    ]
}
