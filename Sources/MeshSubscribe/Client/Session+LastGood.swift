internal import Foundation
internal import SwiftProtobuf
internal import XDSAPI

extension Session {
    /// What to store, so that a later run of this proxy can begin with it. Keys are never among it.
    package var lastGood: [LastGoodStore.Response] {
        let received = self.builder.received
        let parts: [(ResourceKind, [ReceivedResource])] = [
            (.clusters, received.clusters), (.endpoints, received.endpoints), (.listeners, received.listeners),
            (.routes, received.routes),
        ]
        var responses = parts.map { kind, resources in
            LastGoodStore.Response.with {
                $0.typeURL = kind.typeURL
                $0.resources = resources.map(\.resource).filter { !$0.holdsKey }
            }
        }
        responses.append(
            .with {
                $0.typeURL = ResourceKind.nameTable.typeURL
                $0.resources = self.names.stored
            }
        )
        return responses
    }

    /// Takes what an earlier run of this proxy stored. Nothing is acknowledged, and the control plane is asked for
    /// everything: its first answers replace it.
    package mutating func restore(_ responses: [LastGoodStore.Response]) -> Actions {
        var actions = Actions()
        guard !self.isStarted else { return actions }
        for response in responses {
            guard let kind = ResourceKind(typeURL: response.typeURL) else { continue }
            switch kind {
            case .clusters:
                actions.errors += self.builder.setClusters(response.resources, version: "").map(\.description)
            case .endpoints:
                actions.errors += self.builder.setEndpoints(response.resources, version: "").map(\.description)
            case .listeners:
                actions.errors += self.builder.setListeners(response.resources, version: "").map(\.description)
            case .routes: actions.errors += self.builder.setRoutes(response.resources, version: "").map(\.description)
            case .secrets: ()  // never stored
            case .nameTable:
                actions.names = self.setNames(response.resources, isComplete: true, &actions.errors)
            }
        }
        guard !self.builder.received.listeners.isEmpty else {
            return Actions(names: actions.names, errors: actions.errors)
        }
        actions.requests = self.askForNames()
        self.isStarted = true
        actions.state = self.builder.makeState()
        return actions
    }
}

extension Google_Protobuf_Any {
    /// There is a private key in it, so that it is stored nowhere.
    var holdsKey: Bool { self.value.range(of: Data("PRIVATE KEY-----".utf8)) != nil }
}
