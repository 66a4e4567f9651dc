import KubernetesAPI

/// What the server says about a CustomResourceDefinition: it is usable from the moment it is stored.
enum CustomDefinitions {
    static func status(of definition: JSONValue) -> JSONValue {
        let now = ResourceService.now()
        let established = definition.at("status", "conditions")?.array ?? []
        func condition(_ type: String, _ reason: String, _ message: String) -> JSONValue {
            established.first { $0["type"]?.string == type }
                ?? [
                    "type": .string(type), "status": "True", "reason": .string(reason), "message": .string(message),
                    "lastTransitionTime": now,
                ]
        }
        let stored = (definition.at("spec", "versions")?.array ?? []).filter { $0["storage"]?.bool == true }
        return [
            "acceptedNames": definition.at("spec", "names") ?? .object([:]),
            "storedVersions": .array(stored.compactMap { $0["name"] }),
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
        ]
    }
}
