import MeshModel
import SwiftProtobuf
import XDSAPI

/// Makes the filters that listeners are built from, with the mesh's settings.
struct FilterFactory {
    let settings: MeshSettings

    /// Where to find the routes of an HTTP filter.
    enum Routes {
        case named(String)
        case inline(Envoy_Config_Route_V3_RouteConfiguration)
    }

    /// Whose requests an HTTP filter takes.
    enum Clients {
        /// The workload's own application: it cannot speak for others.
        case application
        /// Proxies of the mesh: what they say about clients before them is kept, and they are added to it.
        case mesh
        /// Clients of a gateway, whose address is noted and whose word on clients before them counts for nothing.
        case anyone
        /// The same with a certificate, which is told to the destination.
        case certified
    }

    func http(
        statPrefix: String,
        routes: Routes,
        from clients: Clients = .application
    ) -> Envoy_Config_Listener_V3_Filter {
        var manager = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager()
        manager.codecType = .auto
        manager.statPrefix = statPrefix
        switch routes {
        case .named(let name):
            manager.rds.routeConfigName = name
            manager.rds.configSource = .aggregated
        case .inline(let configuration): manager.routeConfig = configuration
        }
        // Policies go in front of both (`PolicyFilters.inserted`).
        manager.httpFilters = [
            .with {
                $0.name = CrossOrigin.filterName
                $0.typedConfig = .packing(Envoy_Extensions_Filters_Http_Cors_V3_Cors())
            },
            .with {
                $0.name = "envoy.filters.http.router"
                $0.typedConfig = .packing(Envoy_Extensions_Filters_Http_Router_V3_Router())
            },
        ]
        // Who answers is the application, and clients that speak HTTP/1.0 are served: as our proxy does.
        manager.serverHeaderTransformation = .passThrough
        manager.httpProtocolOptions.acceptHTTP10 = true
        manager.upgradeConfigs = [.with { $0.upgradeType = "websocket" }]
        Self.setClients(clients, &manager)
        manager.accessLog = self.accessLog(format: AccessLine.http)
        return .with {
            $0.name = "envoy.filters.network.http_connection_manager"
            $0.typedConfig = .packing(manager)
        }
    }

    private static func setClients(
        _ clients: Clients,
        _ manager: inout Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager
    ) {
        switch clients {
        // The peer of a sidecar is its own application or another proxy: neither is a client to be announced.
        case .application, .mesh: manager.useRemoteAddress = Google_Protobuf_BoolValue(false)
        case .anyone, .certified: manager.useRemoteAddress = Google_Protobuf_BoolValue(true)
        }
        switch clients {
        case .application, .anyone: return
        case .mesh: manager.forwardClientCertDetails = .appendForward
        case .certified: manager.forwardClientCertDetails = .sanitizeSet
        }
        manager.setCurrentClientCertDetails.subject = Google_Protobuf_BoolValue(true)
        manager.setCurrentClientCertDetails.dns = true
        manager.setCurrentClientCertDetails.uri = true
    }

    func tcp(
        statPrefix: String,
        targets: [OutboundPlan.Target],
        idle: Duration? = nil
    ) -> Envoy_Config_Listener_V3_Filter {
        var proxy = Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy()
        proxy.statPrefix = statPrefix
        if targets.count == 1 {
            proxy.cluster = targets[0].cluster
        } else {
            proxy.weightedClusters.clusters = targets.map { target in
                .with {
                    $0.name = target.cluster
                    $0.weight = target.weight
                }
            }
        }
        if let idle { proxy.idleTimeout = Google_Protobuf_Duration(idle) }
        proxy.accessLog = self.accessLog(format: AccessLine.tcp)
        return .with {
            $0.name = "envoy.filters.network.tcp_proxy"
            $0.typedConfig = .packing(proxy)
        }
    }

    func tcp(to cluster: String) -> Envoy_Config_Listener_V3_Filter {
        self.tcp(statPrefix: cluster, targets: [OutboundPlan.Target(cluster: cluster, weight: 1)])
    }

    /// What becomes of traffic that nobody declared.
    var undeclared: Envoy_Config_Listener_V3_Filter {
        switch self.settings.outboundPolicy {
        case .registryOnly: self.tcp(to: ResourceName.blackHole)
        case .allowAny: self.tcp(to: ResourceName.passthrough)
        }
    }

    private func accessLog(format: String) -> [Envoy_Config_Accesslog_V3_AccessLog] {
        guard !self.settings.accessLogFile.isEmpty else { return [] }
        let format = self.settings.accessLogFormat.isEmpty ? format : self.settings.accessLogFormat
        var file = Envoy_Extensions_AccessLoggers_File_V3_FileAccessLog()
        file.path = self.settings.accessLogFile
        file.logFormat.textFormatSource.inlineString = format.hasSuffix("\n") ? format : format + "\n"
        return [
            .with {
                $0.name = "envoy.access_loggers.file"
                $0.typedConfig = .packing(file)
            }
        ]
    }
}

/// Formats of access lines, in Envoy's language.
enum AccessLine {
    /// The line of the reference.
    static let http = """
        [%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% \
        %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \
        "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"

        """

    /// Says what was dialled: the address, and the name that TLS asked for. Why a connection came to its end stands
    /// in the termination details; our proxy also names there what it blocked.
    static let tcp = """
        [%START_TIME%] "TCP %DOWNSTREAM_LOCAL_ADDRESS%" %RESPONSE_FLAGS% "%CONNECTION_TERMINATION_DETAILS%" \
        %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "%REQUESTED_SERVER_NAME%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% \
        %DOWNSTREAM_REMOTE_ADDRESS%

        """
}
