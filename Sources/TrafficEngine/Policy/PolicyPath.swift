/// A request's path as policies compare it, and, where the connection manager asks for it, as it is sent on.
///
/// The same way as Envoy's `normalize_path`: without dot segments, unreserved characters decoded, `\` as `/`. Else
/// `/public/../admin` would pass a rule about `/public/*` and `/%61dmin` would pass by a rule about `/admin`.
package enum PolicyPath {
    /// The path without query and fragment.
    package static func path(of target: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        for index in 0..<target.count {
            if target[index] == UInt8(ascii: "?") || target[index] == UInt8(ascii: "#") {
                return target.slice(0, index)
            }
        }
        return target
    }

    /// Whether `normalized` could change anything; cheap, and false for nearly all requests.
    package static func isSuspicious(_ path: UnsafeRawBufferPointer) -> Bool {
        var last: UInt8 = 0
        for byte in path {
            if byte == UInt8(ascii: "%") || byte == UInt8(ascii: "\\") { return true }
            if byte == UInt8(ascii: "."), last == UInt8(ascii: "/") { return true }
            last = byte
        }
        return false
    }

    /// Never longer than `path`, and the same again when it is normalized once more.
    package static func normalized(_ path: UnsafeRawBufferPointer) -> [UInt8] {
        var segments: [[UInt8]] = []
        let bytes = Self.decoded(path)
        let all = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
        for (index, segment) in all.enumerated() {
            let isLast = index == all.count - 1
            switch segment {
            case [UInt8(ascii: ".")]: if isLast { segments.append([]) }
            case [UInt8(ascii: "."), UInt8(ascii: ".")]:
                // The first, empty segment stands for the root and stays (RFC 3986 section 5.2.4).
                if segments.count > 1 { segments.removeLast() }
                if isLast { segments.append([]) }
            default: segments.append(segment)
            }
        }
        return Array(segments.joined(separator: [UInt8(ascii: "/")]))
    }

    /// With unreserved characters decoded (RFC 3986 section 2.3) and `\` turned into `/`.
    private static func decoded(_ path: UnsafeRawBufferPointer) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(path.count)
        var index = 0
        while index < path.count {
            let byte = path[index]
            if byte == UInt8(ascii: "%"), index + 2 < path.count, let high = Self.digit(path[index + 1]),
                let low = Self.digit(path[index + 2]), Self.isUnreserved(high << 4 | low),
                !Self.endsInOpenEscape(result)
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(byte == UInt8(ascii: "\\") ? UInt8(ascii: "/") : byte)
                index += 1
            }
        }
        return result
    }

    /// A `%` that escapes nothing stands at the end, or before a last digit: what is decoded behind it could make it an
    /// escape, which somebody else would decode once more (`%%361` for `%61`).
    private static func endsInOpenEscape(_ bytes: [UInt8]) -> Bool {
        let percent = UInt8(ascii: "%")
        guard let last = bytes.last else { return false }
        if last == percent { return true }
        return bytes.count > 1 && bytes[bytes.count - 2] == percent && Self.digit(last) != nil
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - 48
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - 87
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - 55
        default: nil
        }
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
