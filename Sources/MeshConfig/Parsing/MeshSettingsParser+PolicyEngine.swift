import IstioAPI
import KubernetesAPI
import MeshModel

/// `mixerCheckServer`, `mixerReportServer` and what goes with them.
extension MeshSettingsParser {
    static func addPolicyEngine(
        _ mesh: Istio_Mesh_V1alpha1_MeshConfig,
        _ json: JSONValue,
        to settings: inout MeshSettings,
        _ field: String,
        _ findings: inout Findings
    ) {
        let domain = settings.domainSuffix
        let check = self.server(mesh.mixerCheckServer, "\(field).mixerCheckServer", domain, &findings)
        // As Istio installs itself: checks cost, so somebody has to want them.
        let isDisabled = mesh.hasDisablePolicyChecks ? mesh.disablePolicyChecks : true
        settings.policyEngine.checkServer = isDisabled ? nil : check
        settings.policyEngine.reportServer =
            self.server(mesh.mixerReportServer, "\(field).mixerReportServer", domain, &findings)
        settings.policyEngine.failsOpen = mesh.policyCheckFailOpen
        self.addCheckTimeout(json, to: &settings, field, &findings)
        settings.policyEngine.checksClients = mesh.enableClientSidePolicyCheck
        if mesh.enableClientSidePolicyCheck, settings.policyEngine.checkServer == nil {
            findings.warning(
                "\(field).enableClientSidePolicyCheck",
                "has no effect without mixerCheckServer and `disablePolicyChecks: false`"
            )
        }
        if !isDisabled, mesh.mixerCheckServer.isEmpty {
            findings.warning("\(field).disablePolicyChecks", "false has no effect without mixerCheckServer")
        }
    }

    /// Less is no time for a call, and no adapter holds answers longer.
    private static let checkTimeouts = Duration.milliseconds(100)...Duration.seconds(600)

    /// A setting of ours: Istio's message has no such field.
    private static func addCheckTimeout(
        _ json: JSONValue,
        to settings: inout MeshSettings,
        _ field: String,
        _ findings: inout Findings
    ) {
        guard let value = json["policyCheckTimeout"], !value.isNull else { return }
        guard let timeout = value.string.flatMap(Self.duration), Self.checkTimeouts.contains(timeout) else {
            let text = value.string ?? value.text()
            findings.error("\(field).policyCheckTimeout", "`\(text)` is no duration from 100ms to 10m, such as 35s")
            return
        }
        settings.policyEngine.checkTimeout = timeout
        if settings.policyEngine.checkServer == nil {
            findings.warning(
                "\(field).policyCheckTimeout",
                "has no effect without mixerCheckServer and `disablePolicyChecks: false`"
            )
        }
    }

    /// `HOST:PORT`; `SERVICE.NAMESPACE` is short for the host of a service of the cluster.
    private static func server(
        _ text: String,
        _ field: String,
        _ domain: String,
        _ findings: inout Findings
    ) -> PolicyEngineSettings.Server? {
        if text.isEmpty { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let port = Int(parts[1]).flatMap({ Port($0) }),
            let host = HostName(String(parts[0])), !host.isWildcard, IPAddress(String(parts[0])) == nil
        else {
            findings.error(field, "`\(text)` is not HOST:PORT with the host of a service or ServiceEntry")
            return nil
        }
        let isShort = host.text.split(separator: ".").count == 2
        return PolicyEngineSettings.Server(
            host: isShort ? HostName("\(host.text).svc.\(domain)") ?? host : host,
            port: port
        )
    }
}
