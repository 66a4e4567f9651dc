internal import MeshModel

/// A `rule` object, checked and compiled.
package struct PolicyRule: Sendable {
    /// An instance and the handler that gets it.
    struct Dispatch: Sendable {
        var handler: HandlerName
        var instance: CompiledInstance
        /// By which header operations refer to the output.
        var actionName: String
    }

    /// A change to headers, with expressions for its values.
    struct HeaderOperation: Sendable {
        enum Part: Sendable {
            case expression(CompiledExpression)
            /// `NAME.output.FIELD` or `NAME.output` of an action.
            case output(action: String, field: String)
        }

        var name: Part
        var values: [Part]
        var kind: HeaderChange.Kind
    }

    let name: String
    let namespace: String
    /// `nil`: for all requests.
    let condition: RuleCondition?
    let dispatches: [TemplateSchema.Variety: [Dispatch]]
    let requestOperations: [HeaderOperation]
    let responseOperations: [HeaderOperation]
    /// `nil`: all requests that it holds for are reported.
    let sampling: RuleSampling?
}

/// A handler's place: its name and namespace.
package struct HandlerName: Sendable, Hashable, CustomStringConvertible {
    package var name: String
    package var namespace: String

    package init(name: String, namespace: String) {
        self.name = name
        self.namespace = namespace
    }

    package var description: String { "\(self.name).\(self.namespace)" }
}

/// A change that the proxy makes to a header.
package struct HeaderChange: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case replace = "REPLACE"
        case remove = "REMOVE"
        case append = "APPEND"
    }

    package var name: String
    package var value: String
    package var kind: Kind

    package init(name: String, value: String, kind: Kind) {
        self.name = name
        self.value = value
        self.kind = kind
    }

    /// What a header belongs to.
    package enum Message: Sendable { case request, response }

    /// Whether a proxy may be told to change this header. Of requests that includes where they go.
    package static func mayChange(_ name: String, of message: Message) -> Bool {
        switch message {
        case .request: MessageChanges.header(name) != nil || MessageChanges.routing.contains(name.lowercased())
        case .response: MessageChanges.header(name) != nil
        }
    }

    /// Whether name and value stay one header, whoever writes them down, and one that may be changed.
    package static func isSound(name: String, value: String, of message: Message) -> Bool {
        Self.mayChange(name, of: message) && MessageChanges.isValue(Array(value.utf8))
    }
}
