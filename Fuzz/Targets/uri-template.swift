// Templates of paths, one a line, and a path in the last line: the tree finds one where a plain comparison does, and one
// that fits.

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
    var templates: [URITemplate] = []
    for line in lines.prefix(32) {
        do throws(URITemplate.SyntaxError) {
            templates.append(try URITemplate(parsing: String(decoding: line, as: UTF8.self)))
        } catch {
            invariant(!error.description.isEmpty, "refused without a reason")
        }
    }
    let interface = ServiceInterface(
        of: MixerService(host: "web", attributes: [:]),
        attributes: [:],
        operations: templates.enumerated().map {
            ServiceInterface.Operation(method: [71], path: .template($1), attributes: ["n": .number(Int64($0))])
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
    switch found.attributes["n"] {
    case .number(let index): invariant(fits(templates[Int(index)], path), "a template was found that does not fit")
    default: invariant(!templates.contains { fits($0, path) }, "a template fits, and was not found")
    }
    return 0
}
