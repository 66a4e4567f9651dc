/// Reads values out of a map of texts and collects what is wrong with them, so that all of it is told at once.
struct SettingReader {
    let values: [String: String]
    private(set) var problems: [SettingProblem] = []

    init(_ values: [String: String]) { self.values = values }

    /// The first of `names` that is set: a setting may have an old and a new spelling.
    func find(_ names: [String]) -> (name: String, value: String)? {
        for name in names {
            if let value = self.values[name] { return (name, value) }
        }
        return nil
    }

    mutating func refuse(_ name: String, _ value: String, expected: String) {
        self.problems.append(SettingProblem(name: name, value: value, expected: expected))
    }

    /// Sets `target` to what `parse` makes of the value; without a value, or with a wrong one, it stays.
    mutating func read<Value>(
        _ names: [String],
        into target: inout Value,
        expected: String,
        parse: (String) -> Value?
    ) {
        guard let (name, value) = self.find(names) else { return }
        guard let parsed = parse(value) else { return self.refuse(name, value, expected: expected) }
        target = parsed
    }

    mutating func number(
        _ names: [String],
        into target: inout Double,
        in range: ClosedRange<Double>,
        _ unit: String = ""
    ) {
        let upper = range.upperBound == .greatestFiniteMagnitude ? "up" : "to \(Self.text(range.upperBound))"
        self.read(names, into: &target, expected: "a number\(unit) from \(Self.text(range.lowerBound)) \(upper)") {
            Self.parseNumber($0).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    mutating func whole(_ names: [String], into target: inout Int, from least: Int = 0, _ note: String = "") {
        let most = Int(Int32.max)
        self.read(names, into: &target, expected: "a whole number from \(least) to \(most)\(note)") {
            Int($0).flatMap { (least...most).contains($0) ? $0 : nil }
        }
    }

    mutating func duration(
        _ names: [String],
        into target: inout Duration,
        in range: ClosedRange<Duration>,
        wholeSeconds: Bool
    ) {
        let expected =
            "a duration from \(GoDuration.text(range.lowerBound)) to \(GoDuration.text(range.upperBound))"
            + (wholeSeconds ? " in whole seconds" : "") + ", such as 90s or 1m30s"
        self.read(names, into: &target, expected: expected) { text in
            guard let duration = GoDuration.parse(text), range.contains(duration),
                !wholeSeconds || duration.isWholeSeconds
            else { return nil }
            return duration
        }
    }

    mutating func burst(_ names: [String], into target: inout ScalingSettings.BurstCapacity) {
        self.read(names, into: &target, expected: "a number of requests from 0 up, or -1 for no limit") { text in
            guard let number = Self.parseNumber(text) else { return nil }
            if number == -1 { return .unlimited }
            return number >= 0 ? .requests(number) : nil
        }
    }

    mutating func truth(_ names: [String], into target: inout Bool) {
        self.read(names, into: &target, expected: "true or false") { text in
            switch text {
            case "1", "t", "T", "true", "TRUE", "True": true
            case "0", "f", "F", "false", "FALSE", "False": false
            default: nil
            }
        }
    }

    static func parseNumber(_ text: String) -> Double? {
        // `inf`, `nan` and hexadecimal numbers mean nothing here.
        guard text.utf8.allSatisfy({ (48...57).contains($0) || "+-.eE".utf8.contains($0) }) else { return nil }
        return Double(text).flatMap { $0.isFinite ? $0 : nil }
    }

    /// Without a fraction where there is none.
    static func text(_ number: Double) -> String { Int(exactly: number).map(String.init) ?? "\(number)" }
}
