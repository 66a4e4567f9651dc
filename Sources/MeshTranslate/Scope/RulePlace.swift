/// Where a VirtualService is in force.
enum RulePlace: Hashable {
    /// In sidecars (`mesh`).
    case mesh
    /// At a gateway, `namespace/name`.
    case gateway(String)

    /// As `gateways` of a VirtualService and of its matches spells it.
    var name: String {
        switch self {
        case .mesh: "mesh"
        case .gateway(let name): name
        }
    }
}
