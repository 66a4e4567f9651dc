package import MeshModel

/// Finds the names behind addresses that the proxy itself gave to names under wildcards.
package protocol MintedNaming: Sendable {
    /// The name that a connection to an address means, in lower case; `nil`: nobody was given it. If there is one,
    /// ``connectionClosed(_:)`` must follow.
    func connectionOpened(_ address: IPAddress) -> String?
    func connectionClosed(_ address: IPAddress)
}

/// Names under which wildcards the proxy gives addresses to, and out of which blocks: what its listeners can lead on.
package struct MintedWildcards: Hashable, Sendable {
    /// Each with a star in front, in lower case.
    package var names: [String] = []
    package var blocks: [CIDR] = []

    package init() {}
}

extension FilterChainMatch {
    /// The chain is for addresses that the proxy gave to names: it asks for a name without TLS that could tell it.
    package var isMinted: Bool {
        self.transportProtocol == "raw_buffer" && !self.serverNames.isEmpty && !self.destinationPrefixes.isEmpty
    }
}

extension Listener {
    /// Whether connections to these addresses have a chain of their own here, by the name that was given the address.
    package func mints(_ address: IPAddress) -> Bool {
        self.chains.contains { chain in
            chain.match.isMinted && chain.match.destinationPrefixes.contains { $0.contains(address) }
        }
    }
}

extension ProxyState {
    package var mintedWildcards: MintedWildcards {
        var names: Set<String> = []
        var blocks: Set<CIDR> = []
        for listener in self.listeners {
            for chain in listener.chains where chain.match.isMinted {
                names.formUnion(chain.match.serverNames)
                blocks.formUnion(chain.match.destinationPrefixes)
            }
        }
        var wildcards = MintedWildcards()
        wildcards.names = names.sorted()
        wildcards.blocks = blocks.sorted()
        return wildcards
    }
}
