import RequestReports
import Serverless
import Testing

@Suite struct ScalingAnnotationsTests {
    private func parse(
        _ annotations: [String: String],
        containerConcurrency: Int = 0,
        config: [String: String] = [:]
    ) -> (settings: ScalingSettings, problems: [SettingProblem]) {
        let prefixed = Dictionary(
            uniqueKeysWithValues: annotations.map { ("autoscaling.knative.dev/" + $0.key, $0.value) }
        )
        let (defaults, _) = AutoscalerDefaults.parse(config)
        let (parsed, problems) = ScalingAnnotations.parse(
            prefixed,
            containerConcurrency: containerConcurrency,
            defaults: defaults
        )
        return (parsed.settings, problems)
    }

    @Test("Without annotations a revision has the cluster's defaults")
    func defaults() {
        let (settings, problems) = self.parse([:])

        #expect(problems.isEmpty)
        #expect(settings.target == 70 && settings.capacity == 100)
        #expect(settings.stableWindow == .seconds(60) && settings.panicWindow == .seconds(6))
        #expect(settings.burstCapacity == .requests(211))
    }

    @Test(
        "Both spellings of an annotation are read",
        arguments: [("min-scale", "minScale"), ("max-scale", "maxScale"), ("initial-scale", "initialScale")]
    )
    func spellings(_ new: String, _ old: String) {
        #expect(self.parse([new: "7"]).settings == self.parse([old: "7"]).settings)
        #expect(self.parse([new: "7"]).settings != self.parse([:]).settings)
        #expect(self.parse([new: "7", old: "9"]).settings == self.parse([new: "7"]).settings)
    }

    @Test("All annotations are read")
    func all() {
        let (settings, problems) = self.parse([
            "class": "kpa.autoscaling.knative.dev", "metric": "rps", "target": "150.5",
            "targetUtilizationPercentage": "80", "target-burst-capacity": "-1", "window": "2m",
            "panicWindowPercentage": "5", "panic-threshold-percentage": "150",
            "metric-aggregation-algorithm": "weighted-exponential", "minScale": "1", "max-scale": "9",
            "initial-scale": "2", "activation-scale": "3", "scaleDownDelay": "15m",
            "scale-to-zero-pod-retention-period": "1m5s",
        ])

        #expect(problems.isEmpty)
        #expect(settings.metric == .requestsPerSecond)
        #expect(settings.capacity == 150.5)
        #expect(abs(settings.target - 120.4) < 1e-9)
        #expect(settings.burstCapacity == .unlimited)
        #expect(settings.stableWindow == .seconds(120) && settings.panicWindow == .seconds(6))
        #expect(settings.panicThreshold == 1.5)
        #expect(settings.averaging == .weightedExponential)
        #expect(settings.minScale == 1 && settings.maxScale == 9)
        #expect(settings.initialScale == 2 && settings.activationScale == 3)
        #expect(settings.scaleDownDelay == .seconds(900))
        #expect(settings.podRetention == .seconds(65))
    }

    @Test("A container's own limit is the capacity, and a larger target does not exceed it")
    func containerConcurrency() {
        #expect(self.parse([:], containerConcurrency: 10).settings.capacity == 10)
        #expect(abs(self.parse([:], containerConcurrency: 10).settings.target - 7) < 1e-9)
        #expect(self.parse(["target": "50"], containerConcurrency: 10).settings.capacity == 10)
        #expect(self.parse(["target": "4"], containerConcurrency: 10).settings.capacity == 4)
        #expect(self.parse(["metric": "rps"], containerConcurrency: 10).settings.capacity == 200)
    }

    @Test(
        "A wrong value is told with its annotation, the value and what it may be, and the default holds",
        arguments: [
            ("window", "5s", "6s to 1h"), ("window", "61m", "6s to 1h"), ("window", "6500ms", "whole seconds"),
            ("window", "sixty", "a duration"), ("min-scale", "-1", "0 to 2147483647"),
            ("min-scale", "2147483648", "0 to 2147483647"), ("maxScale", "1.5", "whole number"),
            ("target", "0", "0.01"), ("target", "nan", "a number"),
            ("target-utilization-percentage", "101", "1 to 100"),
            ("target-burst-capacity", "-2", "-1"), ("panic-window-percentage", "0.5", "1 to 100"),
            ("panic-threshold-percentage", "109", "110 to 1000"), ("metric", "cpu", "concurrency or rps"),
            ("class", "foo.knative.dev", "kpa.autoscaling.knative.dev"),
            ("initial-scale", "0", "allow-zero-initial-scale"),
            ("scale-down-delay", "500ms", "whole seconds"), ("scale-to-zero-pod-retention-period", "-1s", "0s to 1h"),
            ("activation-scale", "0", "1 to"), ("metric-aggregation-algorithm", "best", "linear"),
            ("min-scal", "1", "autoscaling.knative.dev/min-scale"),
        ]
    )
    func refuses(_ name: String, _ value: String, _ expected: String) {
        let (settings, problems) = self.parse([name: value])

        #expect(problems.count == 1)
        #expect(problems.first?.name == "autoscaling.knative.dev/" + name)
        #expect(problems.first?.value == value)
        #expect(problems.first?.expected.contains(expected) == true, "\(problems)")
        #expect(settings == self.parse([:]).settings)
    }

    @Test("A maximum below the minimum is refused, and the minimum holds")
    func bounds() {
        let (settings, problems) = self.parse(["min-scale": "5", "maxScale": "4"])

        #expect(problems.map(\.name) == ["autoscaling.knative.dev/maxScale"])
        #expect(settings.maxScale == 5)
    }

    @Test("Another autoscaler's revision is left alone, whatever its annotations mean there")
    func otherClass() {
        let (parsed, problems) = ScalingAnnotations.parse([
            "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev", "autoscaling.knative.dev/metric": "cpu",
        ])

        #expect(problems.isEmpty)
        #expect(!parsed.isOurs)
    }

    @Test("The cluster's limit on the maximum holds for every revision")
    func maxScaleLimit() {
        let config = ["max-scale": "10", "max-scale-limit": "20"]

        #expect(self.parse([:], config: config).settings.maxScale == 10)
        #expect(self.parse(["max-scale": "21"], config: config).problems.count == 1)
        #expect(self.parse(["max-scale": "0"], config: config).problems.count == 1)
        #expect(self.parse(["max-scale": "20"], config: config).settings.maxScale == 20)
    }
}

@Suite struct AutoscalerDefaultsTests {
    @Test("Every key of the ConfigMap is read")
    func all() {
        let (defaults, problems) = AutoscalerDefaults.parse([
            "pod-autoscaler-class": "hpa.autoscaling.knative.dev", "container-concurrency-target-percentage": "80",
            "container-concurrency-target-default": "50", "requests-per-second-target-default": "300",
            "target-burst-capacity": "0", "activator-capacity": "10", "max-scale-up-rate": "3",
            "max-scale-down-rate": "4", "stable-window": "90s", "panic-window-percentage": "20",
            "panic-threshold-percentage": "300", "enable-scale-to-zero": "false", "scale-to-zero-grace-period": "45s",
            "scale-to-zero-pod-retention-period": "2m", "scale-down-delay": "30s", "allow-zero-initial-scale": "true",
            "initial-scale": "0", "min-scale": "1", "max-scale": "5", "max-scale-limit": "6", "_example": "text",
        ])

        #expect(problems.isEmpty)
        #expect(defaults.autoscalerClass == "hpa.autoscaling.knative.dev")
        #expect(defaults.utilization == 0.8 && defaults.concurrencyTarget == 50)
        #expect(defaults.requestsPerSecondTarget == 300 && defaults.panicWindowPercentage == 20)
        #expect(defaults.isZeroInitialScaleAllowed && defaults.maxScaleLimit == 6)
        let settings = defaults.settings
        #expect(settings.burstCapacity == .requests(0) && settings.activatorCapacity == 10)
        #expect(settings.scaleUpRateMax == 3 && settings.scaleDownRateMax == 4)
        #expect(settings.stableWindow == .seconds(90) && settings.panicThreshold == 3)
        #expect(!settings.isScaleToZeroEnabled && settings.scaleToZeroGrace == .seconds(45))
        #expect(settings.podRetention == .seconds(120) && settings.scaleDownDelay == .seconds(30))
        #expect(settings.initialScale == 0 && settings.minScale == 1 && settings.maxScale == 5)
    }

    @Test(
        "A share of capacity up to one is a fraction, above one a percentage",
        arguments: [("0.7", 0.7), ("70", 0.7)]
    )
    func fraction(_ text: String, _ share: Double) {
        #expect(
            AutoscalerDefaults.parse(["container-concurrency-target-percentage": text]).defaults.utilization == share
        )
    }

    @Test(
        "Wrong values and unknown keys are told, and the default holds",
        arguments: [
            ("max-scale-up-rate", "1"), ("stable-window", "1s"), ("enable-scale-to-zero", "yes"),
            ("container-concurrency-target-percentage", "101"), ("initial-scale", "0"), ("stable-windows", "60s"),
            ("scale-to-zero-grace-period", "0s"), ("activator-capacity", "0.5"),
        ]
    )
    func refuses(_ name: String, _ value: String) {
        let (defaults, problems) = AutoscalerDefaults.parse([name: value])

        #expect(problems.map(\.name) == [name])
        #expect(defaults == AutoscalerDefaults())
    }
}

@Suite struct GoDurationTests {
    @Test(
        "Durations are read as Go spells them",
        arguments: [
            ("60s", Duration.seconds(60)), ("1m30s", .seconds(90)), ("1.5h", .seconds(5400)), ("0", .zero),
            ("100ms", .milliseconds(100)), ("-5s", .seconds(-5)), ("1h0m1s", .seconds(3601)),
            (".5s", .milliseconds(500)),
        ]
    )
    func reads(_ text: String, _ duration: Duration) { #expect(GoDuration.parse(text) == duration) }

    @Test(
        "Anything else is refused",
        arguments: ["", "60", "s", "-", "1d", "5 s", "1m30", ".s", "1..5s", "999999999h", "٣s"]
    )
    func refuses(_ text: String) { #expect(GoDuration.parse(text) == nil) }

    @Test(
        "Durations are written short",
        arguments: [
            (Duration.seconds(90), "1m30s"), (.zero, "0s"), (.seconds(3600), "1h"), (.milliseconds(1500), "1.5s"),
        ]
    )
    func writes(_ duration: Duration, _ text: String) { #expect(GoDuration.text(duration) == text) }
}
