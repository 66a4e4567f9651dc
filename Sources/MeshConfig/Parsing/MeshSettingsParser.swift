import IstioAPI
import KubernetesAPI
import MeshModel

import struct Foundation.Data

/// Reads the mesh-wide settings: YAML under the key `mesh` of a ConfigMap.
enum MeshSettingsParser {
    static let name = "istio"
    static let key = "mesh"

    /// Settings that cannot be read give no value: the caller keeps those it has.
    static func parse(_ object: KubernetesObject, domain: String) -> Parsed<MeshSettings> {
        var findings = Findings("ConfigMap", object)
        let settings = self.settings(object, domain: domain, &findings)
        return Parsed(object, value: findings.hasErrors ? nil : settings, diagnoses: findings.diagnoses)
    }

    private static func settings(
        _ object: KubernetesObject,
        domain: String,
        _ findings: inout Findings
    ) -> MeshSettings? {
        var settings = MeshSettings()
        settings.domainSuffix = domain
        let field = "data.\(self.key)"
        guard let text = object.json[path: "data", self.key]?.string else { return settings }
        let json: JSONValue
        let mesh: Istio_Mesh_V1alpha1_MeshConfig
        do {
            json = try YAML.parse(text, file: field)
            if json.isNull { return settings }
            // A newer Istio's settings must not stop the mesh: unknown ones are ignored.
            mesh = try IstioJSON.decode(
                Istio_Mesh_V1alpha1_MeshConfig.self,
                from: Data(json.serialize()),
                ignoringUnknownFields: true
            )
        } catch {
            findings.error(field, "cannot be read: \(error)")
            return nil
        }
        self.addOutboundPolicy(mesh, to: &settings, field, &findings)
        // An empty text is a setting as well: no access log.
        if json["accessLogFile"] != nil || json["access_log_file"] != nil {
            settings.accessLogFile = mesh.accessLogFile
        }
        settings.accessLogFormat = mesh.accessLogFormat
        if mesh.accessLogEncoding == .json {
            findings.warning("\(field).accessLogEncoding", "JSON is not supported yet: lines are text")
        }
        if !mesh.rootNamespace.isEmpty { settings.rootNamespace = mesh.rootNamespace }
        settings.connectTimeout =
            Fields.positiveDuration(
                mesh.connectTimeout,
                isSet: mesh.hasConnectTimeout,
                field: "\(field).connectTimeout",
                &findings
            ) ?? settings.connectTimeout
        self.addClusterLocalHosts(mesh, to: &settings, field, &findings)
        self.addSecurity(mesh, to: &settings, field, &findings)
        self.addDenialHeader(json, to: &settings, field, &findings)
        self.addPolicyEngine(mesh, json, to: &settings, field, &findings)
        self.addEgressBinding(json, to: &settings, field, &findings)
        settings.protocolDetectionTimeout =
            Fields.duration(
                mesh.protocolDetectionTimeout,
                isSet: mesh.hasProtocolDetectionTimeout,
                field: "\(field).protocolDetectionTimeout",
                &findings
            ) ?? settings.protocolDetectionTimeout
        return settings
    }

    private static func addClusterLocalHosts(
        _ mesh: Istio_Mesh_V1alpha1_MeshConfig,
        to settings: inout MeshSettings,
        _ field: String,
        _ findings: inout Findings
    ) {
        for (index, entry) in mesh.serviceSettings.enumerated() where entry.settings.clusterLocal {
            for (place, text) in entry.hosts.enumerated() {
                if let host = HostName(text) {
                    settings.clusterLocalHosts.append(host)
                } else {
                    findings.error("\(field).serviceSettings[\(index)].hosts[\(place)]", "`\(text)` is no host name")
                }
            }
        }
    }

    /// A setting of ours: Istio's message has no such field.
    private static func addDenialHeader(
        _ json: JSONValue,
        to settings: inout MeshSettings,
        _ field: String,
        _ findings: inout Findings
    ) {
        guard let value = json["showsDenials"], !value.isNull else { return }
        if let shows = value.bool {
            settings.showsDenials = shows
        } else {
            findings.error("\(field).showsDenials", "is neither true nor false")
        }
    }

    private static func addOutboundPolicy(
        _ mesh: Istio_Mesh_V1alpha1_MeshConfig,
        to settings: inout MeshSettings,
        _ field: String,
        _ findings: inout Findings
    ) {
        guard mesh.hasOutboundTrafficPolicy else { return }
        switch mesh.outboundTrafficPolicy.mode {
        case .registryOnly: settings.outboundPolicy = .registryOnly
        case .allowAny, .allowAnyDynamicDns: settings.outboundPolicy = .allowAny
        case .UNRECOGNIZED(let number):
            findings.error("\(field).outboundTrafficPolicy.mode", "\(number) is neither REGISTRY_ONLY nor ALLOW_ANY")
        }
    }
}
