internal import Foundation
internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// What is asked and answered over gRPC (`envoy.service.auth.v3`).
enum CheckMessages {
    typealias Request = Envoy_Service_Auth_V3_CheckRequest
    typealias Response = Envoy_Service_Auth_V3_CheckResponse

    /// A body that a service gives to refusals is cut here.
    static let bodyBytesMax = 64 * 1024

    static func request(_ question: AuthorizationQuestion, _ provider: AuthorizationProvider, now: Date) -> Request {
        .with {
            $0.attributes.source.principal = question.sourcePrincipal
            if let source = question.source { $0.attributes.source.address = Self.address(source) }
            $0.attributes.destination.principal = question.destinationPrincipal
            $0.attributes.destination.address = Self.address(question.destination)
            $0.attributes.request.time = Google_Protobuf_Timestamp(date: now)
            if !question.serverName.isEmpty { $0.attributes.tlsSession.sni = question.serverName }
            if let request = question.request { $0.attributes.request.http = Self.http(request, provider) }
        }
    }

    private static func address(_ address: NetworkAddress) -> Envoy_Config_Core_V3_Address {
        .with {
            $0.socketAddress.address = address.ip.description
            $0.socketAddress.portValue = UInt32(address.port)
        }
    }

    private static func http(
        _ request: AuthorizationQuestion.Request,
        _ provider: AuthorizationProvider
    ) -> Envoy_Service_Auth_V3_AttributeContext.HttpRequest {
        .with {
            $0.id = request.id
            $0.method = request.method
            $0.path = request.path
            $0.host = request.host
            $0.scheme = request.scheme
            $0.protocol = request.version
            $0.size = request.size
            // Envoy has these among the headers as well.
            $0.headers = [
                ":method": request.method, ":path": request.path, ":authority": request.host, ":scheme": request.scheme,
            ]
            let wanted = HeaderPatterns(patterns: provider.headersToCheck)
            for header in request.headers where provider.headersToCheck.isEmpty || wanted.contains(header.name) {
                // Repeated fields are one list (RFC 9110 section 5.3).
                $0.headers[header.name] = $0.headers[header.name].map { "\($0),\(header.value)" } ?? header.value
            }
            guard let body = request.body else { return }
            $0.headers[HTTPCheck.partialBodyHeader] = body.isPartial ? "true" : "false"
            if provider.body?.isPackedAsBytes ?? false {
                $0.rawBody = Data(body.bytes)
            } else {
                $0.body = String(decoding: body.bytes, as: UTF8.self)
            }
        }
    }

    static func answer(_ response: Response) -> AuthorizationAnswer {
        switch response.httpResponse {
        case .okResponse(let ok) where response.status.code == 0: Self.allowed(ok)
        case .deniedResponse(let denied) where response.status.code != 0: Self.denied(denied)
        case .okResponse, .deniedResponse, nil:
            response.status.code == 0
                ? .allowed(requestHeaders: HeaderEdits(), responseHeaders: HeaderEdits())
                : .denied(status: 403, body: [], headers: HeaderEdits())
        }
    }

    private static func allowed(_ response: Envoy_Service_Auth_V3_OkHttpResponse) -> AuthorizationAnswer {
        var request = HeaderEdits()
        var answer = HeaderEdits()
        for name in response.headersToRemove {
            guard let name = HeaderChecks.name(name) else { return .failed("header `\(name)` may not be removed") }
            request.remove.append(name)
        }
        for option in response.headers {
            guard let entry = Self.entry(option) else { return Self.refused(option) }
            // Without `append` a request's header is replaced (OkHttpResponse.headers).
            if option.append.value { request.add.append(entry) } else { request.set.append(entry) }
        }
        for option in response.responseHeadersToAdd {
            guard let entry = Self.entry(option) else { return Self.refused(option) }
            if Self.appends(option) { answer.add.append(entry) } else { answer.set.append(entry) }
        }
        return .allowed(requestHeaders: request, responseHeaders: answer)
    }

    private static func denied(_ response: Envoy_Service_Auth_V3_DeniedHttpResponse) -> AuthorizationAnswer {
        var headers = HeaderEdits()
        for option in response.headers {
            guard let entry = Self.entry(option) else { continue }  // it is denied in any case
            if Self.appends(option) { headers.add.append(entry) } else { headers.set.append(entry) }
        }
        let code = response.status.code.rawValue
        return .denied(
            status: (200..<600).contains(code) ? code : 403,
            body: Array(response.body.utf8.prefix(Self.bodyBytesMax)),
            headers: headers
        )
    }

    private static func entry(_ option: Envoy_Config_Core_V3_HeaderValueOption) -> HeaderEdits.Entry? {
        option.header.rawValue.isEmpty
            ? HeaderChecks.entry(option.header.key, option.header.value.utf8)
            : HeaderChecks.entry(option.header.key, option.header.rawValue)
    }

    private static func refused(_ option: Envoy_Config_Core_V3_HeaderValueOption) -> AuthorizationAnswer {
        .failed("header `\(option.header.key)` may not be changed so")
    }

    private static func appends(_ option: Envoy_Config_Core_V3_HeaderValueOption) -> Bool {
        if option.hasAppend { return option.append.value }
        switch option.appendAction {
        case .appendIfExistsOrAdd, .addIfAbsent: return true
        case .overwriteIfExistsOrAdd, .overwriteIfExists, .UNRECOGNIZED: return false
        }
    }
}
