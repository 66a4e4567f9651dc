internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Settings of HTTP on a filter chain.
enum ConnectionManagerBuilder {
    typealias Message = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager

    static func build(
        _ message: Message,
        of workload: OwnWorkload?,
        at path: String,
        _ registry: inout ClusterRegistry,
        _ findings: inout Findings
    ) -> HTTPConnectionManager? {
        let policies = Self.policies(message, of: workload, at: path, &registry, &findings)
        guard let routes = Self.routes(message, at: path, &registry, &findings) else { return nil }
        let common = message.commonHTTPProtocolOptions
        return HTTPConnectionManager(
            statPrefix: message.statPrefix,
            routes: routes,
            // Defaults where a message is absent are Envoy's.
            idleTimeout: common.hasIdleTimeout ? common.idleTimeout.limit : .seconds(3600),
            requestHeadTimeout: message.hasRequestHeadersTimeout ? message.requestHeadersTimeout.limit : nil,
            streamIdleTimeout: message.hasStreamIdleTimeout ? message.streamIdleTimeout.limit : .seconds(300),
            headBytesMax: Int(message.hasMaxRequestHeadersKb ? message.maxRequestHeadersKb.value : 60) * 1024,
            addsForwardingHeaders: message.hasGenerateRequestID ? message.generateRequestID.value : true,
            appendsPeerAddress: message.useRemoteAddress.value && !message.skipXffAppend,
            allowsUpgrade: Self.allowsUpgrade(message, at: path, &findings),
            accessLogs: AccessLogBuilder.build(message.accessLog, at: "\(path).access_log", &findings),
            codec: Self.codec(message, at: path, &findings),
            http2: HTTP2SettingsBuilder.downstream(
                message.http2ProtocolOptions,
                at: "\(path).http2_protocol_options",
                &findings
            ),
            clientCertificateHeader: Self.clientCertificateHeader(message, at: path, &findings),
            trustedHops: Int(message.xffNumTrustedHops),
            normalizesPath: message.normalizePath.value,
            policies: policies.http,
            mixer: policies.mixer
        )
    }

    private static func codec(_ message: Message, at path: String, _ findings: inout Findings) -> HTTPCodec {
        switch message.codecType {
        case .auto: return .automatic
        case .http1: return .http1
        case .http2: return .http2
        default:
            let known = "AUTO, HTTP1, HTTP2"
            findings.add("\(path).codec_type", "\(message.codecType) is not supported; supported: \(known)")
            return .automatic
        }
    }

    private static func clientCertificateHeader(
        _ message: Message,
        at path: String,
        _ findings: inout Findings
    ) -> ClientCertificateHeader {
        var header = ClientCertificateHeader()
        switch message.forwardClientCertDetails {
        case .sanitize: header.mode = .sanitize
        case .forwardOnly: header.mode = .forwardOnly
        case .appendForward: header.mode = .appendForward
        case .sanitizeSet: header.mode = .sanitizeSet
        case .alwaysForwardOnly: header.mode = .alwaysForwardOnly
        case .UNRECOGNIZED(let number):
            findings.add("\(path).forward_client_cert_details", "\(number) is not known")
        }
        let details = message.setCurrentClientCertDetails
        header.addsSubject = details.subject.value
        header.addsCertificate = details.cert
        header.addsChain = details.chain
        header.addsDNS = details.dns
        header.addsURI = details.uri
        if details.chain {
            findings.add("\(path).set_current_client_cert_details.chain", "is not supported; supported: cert")
        }
        return header
    }

    /// What stands in front of the router, which has to be there.
    private static func policies(
        _ message: Message,
        of workload: OwnWorkload?,
        at path: String,
        _ registry: inout ClusterRegistry,
        _ findings: inout Findings
    ) -> PolicyChainBuilder {
        var hasRouter = false
        var policies = PolicyChainBuilder(workload: workload)
        for (index, filter) in message.httpFilters.enumerated() {
            let path = "\(path).http_filters[\(index)]"
            if filter.disabled { continue }
            if filter.typedConfig.typeURL == TypeURL.router {
                typealias Router = Envoy_Extensions_Filters_Http_Router_V3_Router
                _ = filter.typedConfig.unpacked(Router.self, at: "\(path).typed_config", &findings)
                hasRouter = true
            } else if filter.typedConfig.typeURL == TypeURL.cors {
                // It does what the routes say.
                typealias Cors = Envoy_Extensions_Filters_Http_Cors_V3_Cors
                _ = filter.typedConfig.unpacked(Cors.self, at: "\(path).typed_config", &findings)
            } else if policies.takeHTTP(
                name: filter.name,
                filter.typedConfig,
                at: "\(path).typed_config",
                &registry,
                &findings
            ) {
                continue
            } else if !filter.isOptional {
                findings.add(
                    path,
                    ExtensionPoint.httpFilter.refusal(name: filter.name, typeURL: filter.typedConfig.typeURL)
                )
            }
        }
        if !hasRouter { findings.add("\(path).http_filters", "the router filter is needed") }
        return policies
    }

    private static func routes(
        _ message: Message,
        at path: String,
        _ registry: inout ClusterRegistry,
        _ findings: inout Findings
    ) -> HTTPConnectionManager.Routes? {
        switch message.routeSpecifier {
        case .rds(let rds):
            if rds.routeConfigName.isEmpty { findings.add("\(path).rds.route_config_name", "a name is needed") }
            return .named(rds.routeConfigName)
        case .routeConfig(let configuration):
            return .inline(
                RouteTableBuilder.build(configuration, at: "\(path).route_config", &registry, &findings)
            )
        case nil:
            findings.add(path, "one of rds, route_config is needed")
            return nil
        }
    }

    private static func allowsUpgrade(_ message: Message, at path: String, _ findings: inout Findings) -> Bool {
        var allowed = false
        for (index, upgrade) in message.upgradeConfigs.enumerated() where !upgrade.hasEnabled || upgrade.enabled.value {
            if upgrade.upgradeType.lowercased() == "connect" {
                findings.add("\(path).upgrade_configs[\(index)]", "CONNECT is not supported; supported: websocket")
            }
            allowed = true
        }
        return allowed
    }
}
