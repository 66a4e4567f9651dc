internal import KubernetesAPI
internal import RequestReports

/// Reads the input of a replay; the format is described where the command's help is.
package struct ReplayReader {
    /// More problems than this are not told.
    private static let problemsMax = 20

    let file: String
    private(set) var problems: [ReplayProblem] = []
    private var series = ReplaySeries()
    private var annotations: [String: String] = [:]
    private var defaults: [String: String] = [:]
    /// Where a setting stands, for what is found wrong with it later.
    private var lines: [String: Int] = [:]
    private var containerConcurrency = 0
    private var isReachable = true
    private var observationNodes: [ReplayNode] = []

    private init(file: String) { self.file = file }

    /// Reads a whole text. `file` is named in what is wrong with it.
    package static func read(_ text: String, file: String) throws(ReplayProblems) -> ReplaySeries {
        var reader = ReplayReader(file: file)
        do throws(ReplayProblem) {
            let documents = try ReplayNode.documents(text, file: file)
            for document in documents { reader.read(document) }
        } catch {
            throw ReplayProblems(problems: [error])
        }
        reader.resolveSettings()
        reader.readObservations()
        guard reader.problems.isEmpty else { throw ReplayProblems(problems: reader.problems) }
        return reader.series
    }

    mutating func refuse(_ line: Int, _ message: String) {
        guard self.problems.count < Self.problemsMax else { return }
        self.problems.append(ReplayProblem(file: self.file, line: line, message: message))
    }

    // MARK: The document

    private mutating func read(_ document: ReplayNode) {
        switch document.content {
        case .list(let elements): self.observationNodes += elements
        case .map(let members):
            // One line of JSON lines, or a single observation.
            if members.contains(where: { ReplayNames.time.contains(ReplayNames.plain($0.name)) }) {
                self.observationNodes.append(document)
            } else {
                for (name, value) in members { self.readMember(name, value) }
            }
        case .scalar:
            self.refuse(
                document.line,
                "expected an object with 'observations', or a list of them, found \(document.kind)"
            )
        }
    }

    private mutating func readMember(_ name: String, _ value: ReplayNode) {
        switch ReplayNames.plain(name) {
        case "observations", "series", "samples":
            guard case .list(let elements) = value.content else {
                return self.refuse(value.line, "'\(name)': expected a list of observations, found \(value.kind)")
            }
            self.observationNodes += elements
        case "annotations": self.readMap(name, value) { $0.contains("/") ? $0 : ScalingAnnotations.prefix + $0 }
        case "config", "configmap", "configautoscaler", "data", "defaults":
            self.readMap(name, value, isDefault: true) { $0 }
        case "settings":
            guard case .map(let members) = value.content else {
                return self.refuse(value.line, "'\(name)': expected an object, found \(value.kind)")
            }
            for (name, value) in members { self.readSetting(name, value) }
        case "name", "namespace", "description", "comment": ()
        default: self.readSetting(name, value)
        }
    }

    private mutating func readMap(
        _ name: String,
        _ value: ReplayNode,
        isDefault: Bool = false,
        key: (String) -> String
    ) {
        guard case .map(let members) = value.content else {
            return self.refuse(value.line, "'\(name)': expected an object of texts, found \(value.kind)")
        }
        for (name, value) in members {
            guard let text = value.text else {
                self.refuse(value.line, "'\(name)': expected a text, found \(value.kind)")
                continue
            }
            let key = key(name)
            self.lines[key] = value.line
            if isDefault { self.defaults[key] = text } else { self.annotations[key] = text }
        }
    }

    /// A setting without the name of its place: one of ours, an annotation without prefix, or a key of the ConfigMap.
    private mutating func readSetting(_ name: String, _ value: ReplayNode) {
        guard let text = value.text else {
            return self.refuse(value.line, "'\(name)': expected a text or a number, found \(value.kind)")
        }
        switch ReplayNames.plain(name) {
        case "containerconcurrency":
            self.containerConcurrency = self.whole(name, value) ?? 0
        case "reachable": self.isReachable = self.truth(name, value) ?? true
        case "tick", "tickinterval":
            self.series.tick = self.seconds(name, value, in: 0.1...3600) ?? self.series.tick
        case "until", "end": self.series.until = self.seconds(name, value, in: 0...1e9)?.inSeconds
        case "podstart", "podstarttime":
            self.series.podStart = self.seconds(name, value, in: 0...3600) ?? .zero
        case "start": self.series.start = self.choice(name, value)
        case "gaps": self.series.gaps = self.choice(name, value) ?? .hold
        default:
            let plain = ReplayNames.plain(name.split(separator: "/").last.map(String.init) ?? name)
            if let annotation = ScalingAnnotations.names.first(where: { ReplayNames.plain($0) == plain }) {
                self.annotations[ScalingAnnotations.prefix + annotation] = text
                self.lines[ScalingAnnotations.prefix + annotation] = value.line
            } else if let key = AutoscalerDefaults.keys.first(where: { ReplayNames.plain($0) == plain }) {
                self.defaults[key] = text
                self.lines[key] = value.line
            } else {
                self.refuse(value.line, "'\(name)' is not known here; expected one of \(ReplayNames.settings)")
            }
        }
    }

    private mutating func resolveSettings() {
        let (defaults, defaultProblems) = AutoscalerDefaults.parse(self.defaults)
        let (annotations, annotationProblems) = ScalingAnnotations.parse(
            self.annotations,
            containerConcurrency: self.containerConcurrency,
            defaults: defaults
        )
        for problem in defaultProblems + annotationProblems {
            self.refuse(self.lines[problem.name] ?? 1, "\(problem)")
        }
        if !annotations.isOurs {
            let name = ScalingAnnotations.prefix + "class"
            let line = self.lines[name] ?? self.lines["pod-autoscaler-class"] ?? 1
            self.refuse(
                line,
                "\(name): \(annotations.autoscalerClass) is another autoscaler's; expected \(AutoscalerDefaults.ownClass)"
            )
        }
        self.series.settings = annotations.settings
        self.series.settings.isReachable = self.isReachable
    }

    // MARK: Observations

    private mutating func readObservations() {
        guard !self.observationNodes.isEmpty else {
            return self.refuse(1, "no observations; expected 'observations: [{t: 0, concurrency: 5, readyPods: 1}, …]'")
        }
        var last = -Double.infinity
        var offset = 0.0
        for (index, node) in self.observationNodes.enumerated() {
            guard var observation = self.observation(node) else { continue }
            // Times of the clock become seconds since the first.
            if index == 0, observation.time >= 1e8 { offset = observation.time.rounded(.down) }
            observation.time -= offset
            guard observation.time >= last else {
                self.refuse(
                    node.line,
                    "'t' is \(DecimalText.short(observation.time)), before the observation above"
                        + " (\(DecimalText.short(last))); expected times that rise"
                )
                continue
            }
            last = observation.time
            self.series.observations.append(observation)
        }
        let span = (self.series.until ?? last) - (self.series.observations.first?.time ?? 0)
        if span / self.series.tick.inSeconds > Double(Replay.rowsMax) {
            self.refuse(
                1,
                "\(DecimalText.short(span)) seconds are more than \(Replay.rowsMax) ticks; expected fewer, or a longer 'tick'"
            )
        }
    }

    private mutating func observation(_ node: ReplayNode) -> ReplaySeries.Observation? {
        guard case .map(let members) = node.content else {
            self.refuse(node.line, "expected an observation such as {t: 0, concurrency: 5}, found \(node.kind)")
            return nil
        }
        let before = self.problems.count
        var observation = ReplaySeries.Observation(
            time: -1,
            stats: [],
            readyPods: nil,
            isReachable: nil,
            line: node.line
        )
        var own: Stat?
        var isSilent = false
        for (name, value) in members {
            let plain = ReplayNames.plain(name)
            if ReplayNames.time.contains(plain) {
                observation.time = self.time(name, value) ?? 0
            } else if ["readypods", "ready"].contains(plain) || (plain == "pods" && value.text != nil) {
                observation.readyPods = self.whole(name, value)
            } else if plain == "reachable" {
                observation.isReachable = self.truth(name, value)
            } else if plain == "silent" {
                isSilent = self.truth(name, value) ?? false
            } else if ["perpod", "stats", "pods"].contains(plain) {
                observation.stats += self.stats(name, value)
            } else if let field = ReplayNames.stat[plain] {
                var stat = own ?? Stat()
                if let number = self.number(name, value) { stat[keyPath: field] = number }
                own = stat
            } else {
                self.refuse(
                    value.line,
                    "'\(name)' is not known in an observation; expected one of \(ReplayNames.observation)"
                )
            }
        }
        if let own { observation.stats.append(own) }
        if isSilent { observation.stats = [] }
        if observation.time < 0, self.problems.count == before {
            self.refuse(
                node.line,
                "an observation without 't'; expected the seconds since the start, such as {t: 0, concurrency: 5}"
            )
        }
        return self.problems.count == before ? observation : nil
    }

    /// Pods' own reports: a list of numbers, a list of objects, or an object from the pod's name to either.
    private mutating func stats(_ name: String, _ node: ReplayNode) -> [Stat] {
        switch node.content {
        case .list(let elements): return elements.compactMap { self.stat(name, $0) }
        case .map(let members):
            return members.compactMap { pod, value in
                guard var stat = self.stat(name, value) else { return nil }
                stat.podName = pod
                return stat
            }
        case .scalar:
            self.refuse(
                node.line,
                "'\(name)': expected a list such as [3, 4.5] or [{pod: a, concurrency: 3}], found \(node.kind)"
            )
            return []
        }
    }

    private mutating func stat(_ name: String, _ node: ReplayNode) -> Stat? {
        var stat = Stat()
        guard case .map(let members) = node.content else {
            guard let number = self.number(name, node) else { return nil }
            switch self.series.settings.metric {
            case .concurrency: stat.averageConcurrentRequests = number
            case .requestsPerSecond: stat.requestCount = number
            }
            return stat
        }
        for (name, value) in members {
            let plain = ReplayNames.plain(name)
            if ["pod", "podname", "name"].contains(plain) {
                stat.podName = value.text ?? ""
            } else if let field = ReplayNames.stat[plain] {
                guard let number = self.number(name, value) else { return nil }
                stat[keyPath: field] = number
            } else {
                self.refuse(
                    value.line,
                    "'\(name)' is not known in a pod's report; expected pod, concurrency, proxied, rps or proxiedRps"
                )
            }
        }
        return stat
    }
}
