// Templates of paths and, behind a `~`, expressions for them, one a line, and a path in the last line: the tree finds a
// template where a plain comparison does, and one that fits; if none does, the first expression that fits is found.

import MeshModel
import TrafficEngine

private func parts(_ path: [UInt8]) -> [[UInt8]] {
    var parts = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
    while parts.last?.isEmpty ?? false { parts.removeLast() }
    return Array(parts.dropFirst())
}

private func fits(_ template: URITemplate, _ path: [UInt8]) -> Bool {
    guard path.first == UInt8(ascii: "/") else { return false }
    let parts = parts(path)
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

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    var lines = input.split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
    let target = lines.removeLast()
    var paths: [ServiceInterface.Path] = []
    for line in lines.prefix(32) {
        let text = String(decoding: line, as: UTF8.self)
        do {
            if text.hasPrefix("~") {
                paths.append(.regex(try Pattern(compiling: String(text.dropFirst()))))
            } else {
                paths.append(.template(try URITemplate(parsing: text)))
            }
        } catch {
            invariant(!"\(error)".isEmpty, "refused without a reason")
        }
    }
    let interface = ServiceInterface(
        of: MixerService(host: "web", attributes: [:]),
        attributes: [:],
        operations: paths.enumerated().map {
            ServiceInterface.Operation(method: [71], path: $1, attributes: ["n": .number(Int64($0))])
        },
        keyPlaces: []
    )
    let bytes = [71] + target
    let found = bytes.withUnsafeBytes { raw in
        interface.service(
            of: RequestView(
                bytes: raw,
                method: ByteRange(start: 0, count: 1),
                target: ByteRange(start: 1, count: UInt32(target.count)),
                authority: ByteRange(start: 0, count: 0),
                headers: UnsafeBufferPointer(start: nil, count: 0)
            )
        )
    }
    let path = Array(target.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
    let hasTemplate = paths.contains { if case .template(let template) = $0 { fits(template, path) } else { false } }
    let expression = paths.firstIndex {
        if case .regex(let pattern) = $0 { path.withUnsafeBytes { pattern.matches($0) } } else { false }
    }
    guard case .number(let number) = found.attributes["n"] else {
        invariant(!hasTemplate, "a template fits, and was not found")
        invariant(expression == nil, "an expression fits, and was not found")
        return 0
    }
    switch paths[Int(number)] {
    case .template(let template): invariant(fits(template, path), "a template was found that does not fit")
    case .regex:
        invariant(!hasTemplate, "an expression was found before a template that fits")
        invariant(Int(number) == expression, "an expression was found before the first that fits")
    }
    return 0
}
