internal import MeshModel

/// Interception as flags and annotations spell it: comma-separated lists, `*` for everything.
///
/// The names in messages are those of the annotations (`traffic.sidecar.istio.io/…`), which people write.
package struct InterceptionText: Hashable, Sendable {
    package var includeInboundPorts = "*"
    package var excludeInboundPorts = "15020,15021,15090"
    package var includeOutboundIPRanges = "*"
    package var virtualIPRanges = VirtualAddressRanges().all.map(\.description).joined(separator: ",")
    package var excludeOutboundIPRanges = ""
    package var includeOutboundPorts = ""
    package var excludeOutboundPorts = ""
    package var excludeInterfaces = ""

    /// What Istio does when no annotation is set.
    package init() {}
}

extension InterceptionConfiguration {
    /// Reads the lists of `text` over the defaults.
    ///
    /// - Throws: one error that names every mistake.
    package init(_ text: InterceptionText) throws(InterceptionError) {
        self.init()
        var reader = ListReader()
        switch reader.words(text.includeInboundPorts) {
        case ["*"]: self.inboundPorts = .all
        case let words: self.inboundPorts = .only(reader.ports(words, of: "includeInboundPorts"))
        }
        switch reader.words(text.includeOutboundIPRanges) {
        case ["*"]: self.outboundBlocks = .all
        case let words: self.outboundBlocks = .only(reader.blocks(words, of: "includeOutboundIPRanges"))
        }
        self.virtualBlocks = reader.blocks(reader.words(text.virtualIPRanges), of: "virtualIPRanges")
        self.inboundPortsExcluded = reader.ports(reader.words(text.excludeInboundPorts), of: "excludeInboundPorts")
        self.outboundBlocksExcluded = reader.blocks(
            reader.words(text.excludeOutboundIPRanges),
            of: "excludeOutboundIPRanges"
        )
        self.outboundPortsIncluded = reader.ports(reader.words(text.includeOutboundPorts), of: "includeOutboundPorts")
        self.outboundPortsExcluded = reader.ports(reader.words(text.excludeOutboundPorts), of: "excludeOutboundPorts")
        self.interfacesExcluded = Set(reader.words(text.excludeInterfaces))
        let mistakes = reader.mistakes + self.mistakes
        guard mistakes.isEmpty else {
            throw InterceptionError(code: .badConfiguration, message: mistakes.joined(separator: "; "))
        }
    }
}

/// Turns lists into values and keeps every mistake, so that a person sees all of them at once.
private struct ListReader {
    var mistakes: [String] = []

    func words(_ text: String) -> [String] {
        text.split(separator: ",").map { String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
            .filter { !$0.isEmpty }
    }

    mutating func ports(_ words: [String], of list: String) -> Set<Port> {
        var found: Set<Port> = []
        for word in words {
            if word.utf8.allSatisfy({ (48...57).contains($0) }), let port = Int(word).flatMap({ Port($0) }) {
                found.insert(port)
            } else {
                self.mistakes.append("\(list): \"\(word)\" is no port, 1 to 65535\(Self.starHint(word))")
            }
        }
        return found
    }

    mutating func blocks(_ words: [String], of list: String) -> Set<CIDR> {
        var found: Set<CIDR> = []
        for word in words {
            if let block = CIDR(word) {
                found.insert(block)
            } else {
                self.mistakes.append("\(list): \"\(word)\" is no address block like 10.0.0.0/8\(Self.starHint(word))")
            }
        }
        return found
    }

    private static func starHint(_ word: String) -> String { word == "*" ? "; \"*\" stands alone or not at all" : "" }
}
