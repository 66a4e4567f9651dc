import KubernetesAPI
import MeshModel
import MeshTranslate
import Testing

/// The egress gateway's guide: its objects as they stand there beside what both proxies are told.
@Suite struct EgressGoldenTests {
    static let variants = [
        "http-plain", "http-mutual", "origination-plain", "origination-mutual", "passthrough-plain",
        "passthrough-mutual",
    ]

    @Test("The sidecar leads a variant's traffic to the gateway", arguments: Self.variants)
    func sidecar(_ variant: String) throws {
        let mesh = try GatewayMesh(.egress, GatewayMesh.file("egress/\(variant)"))

        try Golden.check("egress/\(variant)-sidecar", mesh.sidecar())
    }

    @Test("The gateway leads a variant's traffic out of the mesh", arguments: Self.variants)
    func gateway(_ variant: String) throws {
        let mesh = try GatewayMesh(.egress, GatewayMesh.file("egress/\(variant)"))

        try Golden.check("egress/\(variant)-gateway", mesh.egress())
    }

    @Test("Objects that come in any order end in the same resources", arguments: Self.variants)
    func anyOrder(_ variant: String) throws {
        let objects = try GatewayMesh.parse(GatewayMesh.file("egress/\(variant)"))
        let expected = try GatewayMesh(.egress, GatewayMesh.file("egress/\(variant)"))
        let sidecar = try expected.sidecar()
        let gateway = try expected.egress()

        var seen: Set<Set<String>> = []
        for order in Self.permutations(of: objects) {
            var mesh = try GatewayMesh(.egress)
            var applied: Set<String> = []
            for object in order {
                try mesh.apply(object)
                applied.insert("\(object.kind) \(object.name)")
                // What stands in between must be translated as well.
                if seen.insert(applied).inserted { _ = (try mesh.sidecar(), try mesh.egress()) }
            }
            #expect(try mesh.sidecar() == sidecar, "\(order.map(\.kind))")
            #expect(try mesh.egress() == gateway, "\(order.map(\.kind))")
        }
    }

    @Test("Nothing is left of a variant once its objects are deleted", arguments: Self.variants)
    func cleanUp(_ variant: String) throws {
        let objects = try GatewayMesh.parse(GatewayMesh.file("egress/\(variant)"))
        let before = try GatewayMesh(.egress)
        let sidecar = try before.sidecar()
        let gateway = try before.egress()

        for order in Self.permutations(of: objects) {
            var mesh = try GatewayMesh(.egress, GatewayMesh.file("egress/\(variant)"))
            for object in order { try mesh.delete(object) }
            #expect(try mesh.sidecar() == sidecar)
            #expect(try mesh.egress() == gateway)
        }
        #expect(gateway.listeners.isEmpty)
    }

    /// All orders of `objects`; at most 120, as there are at most five.
    static func permutations(of objects: [KubernetesObject]) -> [[KubernetesObject]] {
        guard objects.count > 1 else { return [objects] }
        return objects.indices.flatMap { index -> [[KubernetesObject]] in
            var rest = objects
            let first = rest.remove(at: index)
            return self.permutations(of: rest).map { [first] + $0 }
        }
    }
}
