package import KubernetesAPI
internal import Synchronization

/// Reads an adapter's settings and collects every mistake in them.
///
/// Members may be written `camelCase` or `snake_case`. What no adapter asked for is a mistake, too: a setting that is
/// mistyped would otherwise be one that is silently left out.
package final class SettingsReader: Sendable {
    package struct Mistake: Sendable, Hashable {
        package var field: String
        package var message: String
        package var cause = PolicyDiagnosis.Cause.object
    }

    private struct State {
        var used: Set<String> = []
        var children: [SettingsReader] = []
        var mistakes: [Mistake] = []
    }

    private let members: [String: JSONValue]
    private let path: String
    private let state: Mutex<State>

    package init(_ settings: JSONValue, path: String = "params") {
        self.members = settings.object ?? [:]
        self.path = path
        var state = State()
        if !settings.isNull, settings.object == nil {
            state.mistakes.append(Mistake(field: path, message: "is a \(settings.typeName), not an object"))
        }
        self.state = Mutex(state)
    }

    /// All mistakes, with members that nobody asked for.
    package var mistakes: [Mistake] {
        let (used, children, mistakes) = self.state.withLock { ($0.used, $0.children, $0.mistakes) }
        let unknown = self.members.keys.filter { !used.contains($0) }.sorted().map {
            Mistake(field: "\(self.path).\($0)", message: "there is no such setting")
        }
        return mistakes + unknown + children.flatMap(\.mistakes)
    }

    package func complain(_ name: String, _ message: String, cause: PolicyDiagnosis.Cause = .object) {
        // Under the name that stands in the object.
        let plain = Self.plain(name)
        let written = self.members.keys.first { $0 != name && Self.plain($0) == plain } ?? name
        self.state.withLock {
            $0.mistakes.append(Mistake(field: "\(self.path).\(written)", message: message, cause: cause))
        }
    }

    /// The member under either spelling; `nil` if absent or null.
    package func value(_ name: String) -> JSONValue? {
        let plain = Self.plain(name)
        for (key, value) in self.members where key == name || Self.plain(key) == plain {
            self.state.withLock { _ = $0.used.insert(key) }
            return value.isNull ? nil : value
        }
        return nil
    }

    private static func plain(_ name: String) -> String { name.lowercased().filter { $0 != "_" } }

    package func text(_ name: String) -> String? { self.one(name, "a text", \.string) }

    package func texts(_ name: String) -> [String] { self.list(name, "texts", \.string) }

    package func truth(_ name: String) -> Bool? { self.one(name, "true or false", \.bool) }

    package func whole(_ name: String, in range: ClosedRange<Int64> = .min ... .max) -> Int64? {
        guard let value = self.value(name) else { return nil }
        guard let number = value.int.map(Int64.init) ?? value.string.flatMap({ Int64($0) }), range.contains(number)
        else {
            let bounds = range == .min ... .max ? "" : " from \(range.lowerBound) to \(range.upperBound)"
            self.complain(name, "is no whole number\(bounds)")
            return nil
        }
        return number
    }

    package func number(_ name: String) -> Double? { self.one(name, "a number", \.double) }

    package func numbers(_ name: String) -> [Double] { self.list(name, "numbers", \.double) }

    /// `1.5s`, not negative.
    package func duration(_ name: String) -> Duration? {
        guard let value = self.value(name) else { return nil }
        guard let duration = value.string.flatMap(DurationText.parse), duration >= .zero else {
            self.complain(name, "is no duration such as \"1.5s\"")
            return nil
        }
        return duration
    }

    /// One of some words, by name.
    package func word<Word: RawRepresentable & CaseIterable>(_ name: String, _ type: Word.Type) -> Word?
    where Word.RawValue == String {
        guard let value = self.value(name) else { return nil }
        if let word = value.string.flatMap({ Word(rawValue: $0.uppercased()) }) { return word }
        self.complain(name, "is none of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        return nil
    }

    package func object(_ name: String) -> SettingsReader? {
        guard let value = self.value(name) else { return nil }
        return self.child(value, name)
    }

    package func objects(_ name: String) -> [SettingsReader] {
        guard let value = self.value(name) else { return [] }
        guard let elements = value.array else {
            self.complain(name, "is a \(value.typeName), not a list")
            return []
        }
        return elements.enumerated().map { self.child($0.element, "\(name)[\($0.offset)]") }
    }

    package func members(_ name: String) -> [(key: String, value: JSONValue)] {
        guard let value = self.value(name) else { return [] }
        guard let members = value.object else {
            self.complain(name, "is a \(value.typeName), not an object")
            return []
        }
        return members.sorted { $0.key < $1.key }
    }

    /// Reads a member's value; its mistakes count with those of all.
    func child(_ value: JSONValue, _ name: String) -> SettingsReader {
        let reader = SettingsReader(value, path: "\(self.path).\(name)")
        self.state.withLock { $0.children.append(reader) }
        return reader
    }

    private func one<Value>(_ name: String, _ what: String, _ read: (JSONValue) -> Value?) -> Value? {
        guard let value = self.value(name) else { return nil }
        if let one = read(value) { return one }
        self.complain(name, "is a \(value.typeName), not \(what)")
        return nil
    }

    private func list<Value>(_ name: String, _ what: String, _ read: (JSONValue) -> Value?) -> [Value] {
        guard let value = self.value(name) else { return [] }
        let elements = value.array?.compactMap(read)
        guard let elements, elements.count == value.array?.count else {
            self.complain(name, "is no list of \(what)")
            return []
        }
        return elements
    }
}
