/// How instances become lines of statsd: `NAME:VALUE|TYPE|@RATE`.
package struct StatsdMetric: Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        case counter = "COUNTER"
        case gauge = "GAUGE"
        case distribution = "DISTRIBUTION"
    }

    /// A text with parts that are dimensions: `{{.method}}-{{.code}}`.
    package struct Name: Sendable, Hashable {
        private enum Part: Sendable, Hashable {
            case text(String)
            case dimension(String)
        }

        private var parts: [Part] = []

        /// `nil` if braces are not in pairs, or have anything but `.` and a dimension's name between them.
        package init?(_ template: String) {
            var rest = template[...]
            while let open = rest.firstRange(of: "{{") {
                guard let close = rest[open.upperBound...].firstRange(of: "}}") else { return nil }
                let inner = rest[open.upperBound..<close.lowerBound].filter { $0 != " " }
                let name = inner.dropFirst()
                guard inner.first == ".", !name.isEmpty,
                    name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
                else { return nil }
                self.parts += [.text(String(rest[..<open.lowerBound])), .dimension(String(name))]
                rest = rest[close.upperBound...]
            }
            self.parts.append(.text(String(rest)))
        }

        /// Dimensions that the template names.
        package var dimensions: [String] {
            self.parts.compactMap { if case .dimension(let name) = $0 { name } else { nil } }
        }

        func text(_ dimensions: [String: AttributeValue]) -> String {
            self.parts.map { part in
                switch part {
                case .text(let text): text
                case .dimension(let name): dimensions[name]?.plainText ?? ""
                }
            }
            .joined()
        }
    }

    /// Dimensions come from requests: what is longer is cut.
    private static let nameBytesMax = 250

    private let prefix: String
    private let name: Name
    private let kind: Kind
    /// The part of values that is sent, above 0 and up to 1.
    private let rate: Double

    package init(prefix: String, name: Name, kind: Kind, rate: Double) {
        self.prefix = prefix
        self.name = name
        self.kind = kind
        self.rate = rate
    }

    /// The line; `nil` if the instance has no value that is a number, or if this one is not in the sample. `luck` is from
    /// 0 to 1, a new one for each line.
    package func line(_ instance: InstanceData, luck: Double) -> String? {
        guard let value = instance.values["value"], let number = value.number, number.isFinite else { return nil }
        let name = Self.plain(self.prefix + self.name.text(instance.maps["dimensions"] ?? [:]))
        // The last value of a gauge is what counts, so all are sent.
        guard luck < self.rate || self.kind == .gauge else { return nil }
        let suffix = self.rate < 1 ? "|@\(Self.text(self.rate))" : ""
        switch self.kind {
        case .counter: return "\(name):\(Self.text(number))|c\(suffix)"
        // A sign means "by so much" to a server.
        case .gauge:
            return number < 0 ? "\(name):0|g\n\(name):\(Self.text(number))|g" : "\(name):\(Self.text(number))|g"
        case .distribution:
            if case .duration = value { return "\(name):\(Self.text(number * 1000))|ms\(suffix)" }
            return "\(name):\(Self.text(number))|h\(suffix)"
        }
    }

    /// Without the characters that mean something in a line.
    private static func plain(_ name: String) -> String {
        let text = String(
            String.UnicodeScalarView(
                name.unicodeScalars.map { scalar in
                    let isPlain =
                        scalar.value > 0x20 && scalar.value != 0x7f && !":|@#/\\".unicodeScalars.contains(scalar)
                    return isPlain ? scalar : "_"
                }
            )
        )
        return text.utf8.count <= Self.nameBytesMax
            ? text : String(decoding: text.utf8.prefix(Self.nameBytesMax), as: UTF8.self)
    }

    private static func text(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
    }
}
