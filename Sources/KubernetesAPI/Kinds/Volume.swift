/// Files that the containers of a pod may mount; exactly one source is set.
package struct Volume: Codable, Hashable, Sendable {
    package struct EmptyDirectory: Codable, Hashable, Sendable {
        package var medium: String?
        package var sizeLimit: IntOrString?
    }

    package struct HostPath: Codable, Hashable, Sendable {
        package var path: String
        package var type: String?
    }

    package struct ConfigMapSource: Codable, Hashable, Sendable {
        package var name: String
        package var items: [KeyToPath]
        package var defaultMode: Int?
        package var optional: Bool?
    }

    package struct SecretSource: Codable, Hashable, Sendable {
        package var secretName: String
        package var items: [KeyToPath]
        package var defaultMode: Int?
        package var optional: Bool?
    }

    package struct DownwardAPISource: Codable, Hashable, Sendable {
        package var items: [DownwardAPIFile]
        package var defaultMode: Int?
    }

    package struct ProjectedSource: Codable, Hashable, Sendable {
        package var sources: [Projection]
        package var defaultMode: Int?
    }

    package struct Projection: Codable, Hashable, Sendable {
        package struct Named: Codable, Hashable, Sendable {
            package var name: String
            package var items: [KeyToPath]
            package var optional: Bool?
        }

        package struct ServiceAccountToken: Codable, Hashable, Sendable {
            package var audience: String?
            package var expirationSeconds: Int?
            package var path: String
        }

        package var configMap: Named?
        package var secret: Named?
        package var downwardAPI: DownwardAPISource?
        package var serviceAccountToken: ServiceAccountToken?
    }

    package var name: String
    package var emptyDir: EmptyDirectory?
    package var hostPath: HostPath?
    package var configMap: ConfigMapSource?
    package var secret: SecretSource?
    package var downwardAPI: DownwardAPISource?
    package var projected: ProjectedSource?
}

package struct KeyToPath: Codable, Hashable, Sendable {
    package var key: String
    package var path: String
    package var mode: Int?
}

package struct DownwardAPIFile: Codable, Hashable, Sendable {
    package var path: String
    package var fieldRef: ObjectFieldSelector?
    package var resourceFieldRef: ResourceFieldSelector?
    package var mode: Int?
}
