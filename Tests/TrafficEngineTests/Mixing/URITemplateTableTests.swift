import MeshModel
import Testing
import TrafficEngine

/// Templates and paths by chance: the tree finds what looking at one template after the other finds.
@Suite struct URITemplateTableTests {
    /// Parts of few letters, so that templates share beginnings and paths fit several.
    private static let parts = [
        "a", "b", "ab", "", "{v}", "*", "{w=*}", "a{v}", "{v}b", "a{v}b", "b{v}", "{v}ab", "%", "{",
    ]
    private static let methods = ["GET", "PUT"]

    private struct Entry {
        var template: URITemplate
        var method: String
    }

    private static func path(_ generator: inout SeededGenerator, _ parts: [String], _ countMax: Int) -> String {
        let count = Int.random(in: 0...countMax, using: &generator)
        return (0..<count).map { _ in "/" + (parts.randomElement(using: &generator) ?? "") }.joined()
    }

    /// What stands between slashes; those at the end say nothing. `nil`: it is no path.
    private static func parts(of path: String) -> [[UInt8]]? {
        var parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
        guard parts.count > 1, parts.removeFirst().isEmpty else { return nil }
        while parts.last?.isEmpty ?? false { parts.removeLast() }
        return parts
    }

    private static func fits(_ template: URITemplate, _ parts: [[UInt8]]) -> Bool {
        guard template.isOpen ? parts.count >= template.segments.count : parts.count == template.segments.count else {
            return false
        }
        return zip(template.segments, parts).allSatisfy { segment, part in
            switch segment {
            case .text(let text): part == text
            case .variable(let prefix, let suffix):
                part.count > prefix.count + suffix.count && part.starts(with: prefix)
                    && part.reversed().starts(with: suffix.reversed())
            }
        }
    }

    /// A smaller one counts first: by each part a text, then variables with more text around them, then those that were
    /// there first, and at the end what is closed.
    private static func rank(_ index: Int, _ entries: [Entry]) -> [Int] {
        let template = entries[index].template
        var rank: [Int] = []
        for (depth, segment) in template.segments.enumerated() {
            switch segment {
            case .text: rank += [0, 0, 0]
            case .variable(let prefix, let suffix):
                let beginning = template.segments[...depth]
                let first = entries.firstIndex { $0.template.segments.starts(with: beginning) }
                rank += [1, -prefix.count - suffix.count, first ?? index]
            }
        }
        return rank + (template.isOpen ? [2] : [0]) + [index]
    }

    private static func expected(_ target: String, _ method: String, _ entries: [Entry]) -> Int? {
        guard let parts = Self.parts(of: String(target.prefix { $0 != "?" })) else { return nil }
        return entries.indices.filter { entries[$0].method == method && Self.fits(entries[$0].template, parts) }
            .map { Self.rank($0, entries) }
            .min { $0.lexicographicallyPrecedes($1) }?
            .last
    }

    private static func found(_ target: String, _ method: String, _ entries: [Entry]) -> Int? {
        let interface = ServiceInterface(
            of: MixerService(host: "web", attributes: [:]),
            attributes: [:],
            operations: entries.enumerated().map { index, entry in
                ServiceInterface.Operation(
                    method: Array(entry.method.utf8),
                    path: .template(entry.template),
                    attributes: ["n": .number(Int64(index))]
                )
            },
            keyPlaces: []
        )
        var request = MixedRequest(target)
        request.text.method = method
        let service = request.text.withView { interface.service(of: $0) }
        guard case .number(let index) = service.attributes["n"] else { return nil }
        return Int(index)
    }

    @Test("Of the templates that fit, the closest one is found, and one wherever one fits", arguments: 0..<200)
    func finds(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var entries: [Entry] = []
        for _ in 0..<Int.random(in: 1...16, using: &generator) {
            let rest = ["", "", "/**", "/"].randomElement(using: &generator) ?? ""
            let source = Self.path(&generator, Self.parts, 4) + rest
            // Chance makes some that are none.
            guard let template = try? URITemplate(parsing: source) else { continue }
            entries.append(Entry(template: template, method: Self.methods.randomElement(using: &generator) ?? "GET"))
        }
        for _ in 0..<40 {
            let tail = ["", "", "/", "?a=/b"].randomElement(using: &generator) ?? ""
            let target = Self.path(&generator, ["a", "b", "ab", "aab", "abb", "ba", "", "%"], 5) + tail
            let method = Self.methods.randomElement(using: &generator) ?? "GET"
            let (found, expected) = (Self.found(target, method, entries), Self.expected(target, method, entries))
            #expect(found == expected, "\(method) \(target) in \(entries.map { "\($0.method) \($0.template.source)" })")
        }
    }
}
