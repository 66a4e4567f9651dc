import Foundation
package import KubernetesAPI

/// Why a container cannot be created yet; the reason is one of Kubernetes' own words.
package struct ContainerConfigError: Error, Hashable {
    package var reason = "CreateContainerConfigError"
    package var message: String

    package init(
        reason: String = "CreateContainerConfigError",
        message: String
    ) {
        self.reason = reason
        self.message = message
    }
}

/// Puts together the environment of a container from its image, its spec and the objects that it refers to.
package struct ContainerEnvironment {
    package var downward: DownwardAPI
    /// ConfigMaps and Secrets of the pod's namespace by name.
    package var configMap: (String) -> KubernetesObject?
    package var secret: (String) -> KubernetesObject?

    package init(
        downward: DownwardAPI,
        configMap: @escaping (String) -> KubernetesObject?,
        secret: @escaping (String) -> KubernetesObject?
    ) {
        self.downward = downward
        self.configMap = configMap
        self.secret = secret
    }

    package func variables(
        of container: Container,
        image: CatalogueImage,
        standard: [String: String]
    ) throws
        -> [String: String]
    {
        var variables = standard.merging(image.environment) { $1 }
        for source in container.envFrom {
            variables.merge(try self.all(of: source)) { $1 }
        }
        for variable in container.env {
            if let source = variable.valueFrom {
                guard let value = try self.value(of: source, name: variable.name, container: container) else {
                    continue
                }
                variables[variable.name] = value
            } else {
                variables[variable.name] = Expansion.expand(variable.value ?? "", variables)
            }
        }
        return variables
    }

    private func value(of source: EnvVar.Source, name: String, container: Container) throws -> String? {
        if let field = source.fieldRef {
            guard let value = self.downward.value(field.fieldPath) else {
                throw ContainerConfigError(message: "env \(name): unsupported fieldPath \(field.fieldPath)")
            }
            return value
        }
        if let key = source.configMapKeyRef {
            let object = self.configMap(key.name)
            return try self.found(object?.json[path: "data", key.key]?.string, of: object, "configmap", key)
        }
        if let key = source.secretKeyRef {
            let object = self.secret(key.name)
            return try self.found(object.flatMap { Self.secretText($0, key.key) }, of: object, "secret", key)
        }
        if let resource = source.resourceFieldRef {
            return self.amount(resource.resource, container)
        }
        return ""
    }

    private func found(
        _ value: String?,
        of object: KubernetesObject?,
        _ kind: String,
        _ key: KeySelector
    ) throws
        -> String?
    {
        if let value { return value }
        if key.optional == true { return nil }
        throw ContainerConfigError(
            message: object == nil
                ? "\(kind) \"\(key.name)\" not found" : "couldn't find key \(key.key) in \(kind) \(key.name)"
        )
    }

    private func all(of source: EnvFromSource) throws -> [String: String] {
        var members: [String: String] = [:]
        if let reference = source.configMapRef {
            guard let object = self.configMap(reference.name) else {
                if reference.optional == true { return [:] }
                throw ContainerConfigError(message: "configmap \"\(reference.name)\" not found")
            }
            members = object.json["data"]?.stringMap ?? [:]
        } else if let reference = source.secretRef {
            guard let object = self.secret(reference.name) else {
                if reference.optional == true { return [:] }
                throw ContainerConfigError(message: "secret \"\(reference.name)\" not found")
            }
            for key in (object.json["data"]?.object ?? [:]).keys {
                members[key] = Self.secretText(object, key)
            }
        }
        guard let prefix = source.prefix else { return members }
        return Dictionary(uniqueKeysWithValues: members.map { (prefix + $0.key, $0.value) })
    }

    /// What `limits.cpu` comes to in whole cores, `limits.memory` in bytes; without a limit the machine's own.
    private func amount(_ resource: String, _ container: Container) -> String {
        let parts = resource.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return "0" }
        let amounts = parts[0] == "requests" ? container.resources?.requests : container.resources?.limits
        let set = amounts?[parts[1]]?.description
        switch parts[1] {
        case "cpu":
            guard let set else { return String(ProcessInfo.processInfo.activeProcessorCount) }
            let milli = set.hasSuffix("m") ? Int(set.dropLast()) : Double(set).map { Int($0 * 1000) }
            return String(((milli ?? 1000) + 999) / 1000)
        default: return set ?? String(ProcessInfo.processInfo.physicalMemory)
        }
    }

    private static func secretText(_ secret: KubernetesObject, _ key: String) -> String? {
        guard let text = secret.json[path: "data", key]?.string, let data = Data(base64Encoded: text) else {
            return nil
        }
        return String(decoding: data, as: UTF8.self)
    }
}
