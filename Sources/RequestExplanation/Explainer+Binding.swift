import MeshModel

/// DNS-bound egress: what is dialled and what is named decide before anything else.
extension Explainer {
    /// Whether it blocks the request; only the mesh's setting is known here, not what a pod's annotation says.
    mutating func isUnbound() -> Bool {
        let binding = self.snapshot.settings.dnsBoundEgress
        guard binding.mode == .enforce else { return false }
        let settings = ObjectReference(
            kind: "ConfigMap",
            id: ObjectID(namespace: self.snapshot.settings.rootNamespace, name: "istio")
        )
        if let address = IPAddress(self.question.host) {
            guard !binding.literals.contains(where: { $0.contains(address) }) else { return false }
            self.add(.policy, "DNS-bound egress: \(address) is not among dnsBoundEgress.ipLiterals", settings)
            self.stop(
                "Blocked: DNS-bound egress is on, and \(address) is dialled as it is instead of looked up.",
                remedy: Self.literalRemedy(address)
            )
            return true
        }
        guard let named = self.question.headers["host"]?.lowercased(), named != self.question.host else { return false }
        let own = self.hop.proxy.lookUp(self.question.host)?.name
        if let own, own == self.hop.proxy.lookUp(named)?.name { return false }
        self.add(.policy, "DNS-bound egress: \(named) does not lead to the address of \(self.question.host)", settings)
        self.stop("Blocked: DNS-bound egress is on, and \(named) was not looked up to get the address that is dialled.")
        return true
    }

    /// The part of the mesh's settings that would allow an address.
    private static func literalRemedy(_ address: IPAddress) -> String {
        """
        # under the key `mesh` of the ConfigMap `istio`
        lateen:
          dnsBoundEgress:
            mode: ENFORCE
            ipLiterals:
            - \(CIDR(address))
        """
    }
}
