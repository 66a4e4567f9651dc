import Foundation
import KubernetesAPI

/// Why a volume is not there; becomes a `FailedMount` event.
struct VolumeError: Error, Hashable {
    var volume: String
    var message: String
}

/// Makes the folders behind a pod's volumes, and renews what is in them when its source changes.
struct PodVolumes {
    let pod: Pod
    let downward: DownwardAPI
    let folder: URL
    let services: NodeServices
    private var tokens: [String: Token] = [:]

    private struct Token {
        var text: String
        var renewAt: Int64
    }

    init(pod: Pod, downward: DownwardAPI, folder: URL, services: NodeServices) {
        self.pod = pod
        self.downward = downward
        self.folder = folder
        self.services = services
    }

    private var namespace: String { self.pod.metadata.namespace ?? "default" }

    /// Brings all volumes up to date.
    ///
    /// - Returns: the folder of each volume, by its name.
    mutating func prepare() async throws -> [String: String] {
        var places: [String: String] = [:]
        for volume in self.pod.spec.volumes {
            places[volume.name] = try await self.place(of: volume)
        }
        return places
    }

    /// When the first token must be renewed, in seconds since 1970.
    var renewAt: Int64? { self.tokens.values.map(\.renewAt).min() }

    private mutating func place(of volume: Volume) async throws -> String {
        if let host = volume.hostPath {
            guard FileManager.default.fileExists(atPath: host.path) else {
                throw VolumeError(volume: volume.name, message: "hostPath \(host.path) does not exist")
            }
            return host.path
        }
        let place = self.folder.appendingPathComponent(volume.name)
        guard let files = try await self.files(of: volume) else {
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            // Every user of the pod may write, as with an `fsGroup`.
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: place.path)
            return place.path
        }
        let group = self.pod.spec.securityContext?.fsGroup
        try VolumeFolder(url: place, group: group.flatMap { (0...Int(Int32.max)).contains($0) ? $0 : nil }).write(files)
        return place.path
    }

    /// `nil` for a volume that starts empty and is written by the pod.
    private mutating func files(of volume: Volume) async throws -> [String: VolumeFolder.File]? {
        let name = volume.name
        if let source = volume.configMap {
            let mode = source.defaultMode ?? 0o644
            return try self.configMap(source.name, source.items, source.optional, mode, name)
        }
        if let source = volume.secret {
            let mode = source.defaultMode ?? 0o644
            return try self.secret(source.secretName, source.items, source.optional, mode, name)
        }
        if let source = volume.downwardAPI {
            return try self.fields(source.items, source.defaultMode ?? 0o644, name)
        }
        guard let source = volume.projected else { return nil }
        let mode = source.defaultMode ?? 0o644
        var files: [String: VolumeFolder.File] = [:]
        for projection in source.sources {
            if let map = projection.configMap {
                files.merge(try self.configMap(map.name, map.items, map.optional, mode, name)) { $1 }
            }
            if let secret = projection.secret {
                files.merge(try self.secret(secret.name, secret.items, secret.optional, mode, name)) { $1 }
            }
            if let fields = projection.downwardAPI { files.merge(try self.fields(fields.items, mode, name)) { $1 } }
            if let token = projection.serviceAccountToken {
                let text = try await self.token(token, volume: name)
                files[token.path] = VolumeFolder.File(bytes: Data(text.utf8), mode: mode)
            }
        }
        return files
    }

    private func configMap(
        _ name: String,
        _ items: [KeyToPath],
        _ optional: Bool?,
        _ mode: Int,
        _ volume: String
    ) throws -> [String: VolumeFolder.File] {
        let object = self.services.mirror.object(.configMaps, namespace: self.namespace, name: name)
        guard let object else {
            if optional == true { return [:] }
            throw VolumeError(volume: volume, message: "configmap \"\(name)\" not found")
        }
        var data = (object.json["data"]?.stringMap ?? [:]).mapValues { Data($0.utf8) }
        for (key, value) in object.json["binaryData"]?.stringMap ?? [:] { data[key] = Data(base64Encoded: value) }
        return try Self.chosen(data, items, optional, mode, volume, "configmap \"\(name)\"")
    }

    private func secret(
        _ name: String,
        _ items: [KeyToPath],
        _ optional: Bool?,
        _ mode: Int,
        _ volume: String
    ) throws -> [String: VolumeFolder.File] {
        let object = self.services.mirror.object(.secrets, namespace: self.namespace, name: name)
        guard let object else {
            if optional == true { return [:] }
            throw VolumeError(volume: volume, message: "secret \"\(name)\" not found")
        }
        let data = (object.json["data"]?.stringMap ?? [:]).compactMapValues { Data(base64Encoded: $0) }
        return try Self.chosen(data, items, optional, mode, volume, "secret \"\(name)\"")
    }

    /// All keys, or those that `items` names, at their paths.
    static func chosen(
        _ data: [String: Data],
        _ items: [KeyToPath],
        _ optional: Bool?,
        _ mode: Int,
        _ volume: String,
        _ source: String
    ) throws -> [String: VolumeFolder.File] {
        if items.isEmpty { return data.mapValues { VolumeFolder.File(bytes: $0, mode: mode) } }
        var files: [String: VolumeFolder.File] = [:]
        for item in items {
            let isInside = !item.path.hasPrefix("/") && !item.path.split(separator: "/").contains("..")
            guard let bytes = data[item.key], isInside else {
                if optional == true { continue }
                throw VolumeError(
                    volume: volume,
                    message: "\(source) has no key \(item.key), or its path leaves the volume"
                )
            }
            files[item.path] = VolumeFolder.File(bytes: bytes, mode: item.mode ?? mode)
        }
        return files
    }

    private func fields(_ items: [DownwardAPIFile], _ mode: Int, _ volume: String) throws -> [String: VolumeFolder.File]
    {
        var files: [String: VolumeFolder.File] = [:]
        for item in items {
            let text: String
            if let field = item.fieldRef {
                guard let value = self.downward.value(field.fieldPath) else {
                    throw VolumeError(volume: volume, message: "unsupported fieldPath \(field.fieldPath)")
                }
                text = value
            } else {
                text = "0"  // Amounts of resources are not limited here.
            }
            files[item.path] = VolumeFolder.File(bytes: Data(text.utf8), mode: item.mode ?? mode)
        }
        return files
    }

    /// A token for the pod's account, bound to the pod; asked for anew when four fifths of its life are over.
    private mutating func token(_ source: Volume.Projection.ServiceAccountToken, volume: String) async throws -> String
    {
        let key = "\(volume)/\(source.path)"
        let now = ClockText.nowSeconds()
        if let token = self.tokens[key], token.renewAt > now { return token.text }
        let account = self.pod.spec.serviceAccountName ?? "default"
        let seconds = max(600, source.expirationSeconds ?? 3600)
        var spec: JSONValue = [
            "expirationSeconds": JSONValue(seconds),
            "boundObjectRef": [
                "apiVersion": "v1", "kind": "Pod", "name": .string(self.pod.metadata.name),
                "uid": .string(self.pod.metadata.uid),
            ],
        ]
        if let audience = source.audience, !audience.isEmpty { spec["audiences"] = [.string(audience)] }
        let path = ResourceType.serviceAccounts.path(namespace: self.namespace, name: account, subresource: "token")
        do {
            let answer = try await self.services.client.send(
                .POST,
                path,
                body: ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec]
            )
            guard let text = answer[path: "status", "token"]?.string else {
                throw VolumeError(volume: volume, message: "the API server gave no token for \(account)")
            }
            self.tokens[key] = Token(text: text, renewAt: now + Int64(seconds) * 4 / 5)
            return text
        } catch let error as KubernetesError {
            // The old token is good for a while yet.
            if let token = self.tokens[key] { return token.text }
            throw VolumeError(volume: volume, message: "no token for service account \(account): \(error.message)")
        }
    }
}
