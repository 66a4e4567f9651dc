import GRPCCore
import SwiftProtobuf
import Synchronization
import XDSAPI

/// An authorization service of the tests; the path says what it shall do.
final class TestService: Envoy_Service_Auth_V3_Authorization.SimpleServiceProtocol {
    private let requests = Mutex<[Envoy_Service_Auth_V3_CheckRequest]>([])

    var first: Envoy_Service_Auth_V3_CheckRequest? { self.requests.withLock { $0.first } }

    func check(
        request: Envoy_Service_Auth_V3_CheckRequest,
        context: ServerContext
    ) async throws -> Envoy_Service_Auth_V3_CheckResponse {
        self.requests.withLock { $0.append(request) }
        var response = Envoy_Service_Auth_V3_CheckResponse()
        switch request.attributes.request.http.path {
        case "/allow":
            response.okResponse.headersToRemove = ["x-secret"]
            response.okResponse.headers = [Self.header("x-user", "me"), Self.header("x-tag", "a", appends: true)]
            response.okResponse.responseHeadersToAdd = [Self.header("x-seen", "1", appends: true)]
        case "/smuggle": response.okResponse.headers = [Self.header("x-user", "me\r\nx-admin: 1")]
        case "/host": response.okResponse.headers = [Self.header("Host", "other")]
        case "/deny":
            response.status.code = 7
            response.deniedResponse.status.code = .unauthorized
            response.deniedResponse.body = "no"
            response.deniedResponse.headers = [Self.header("www-authenticate", "Basic")]
        case "/deny-plain": response.status.code = 16
        case "/contradiction":
            response.status.code = 7
            response.okResponse.headers = [Self.header("x-user", "me")]
        case "/wait": try await Task.sleep(for: .seconds(60))
        default: throw RPCError(code: .internalError, message: "broken")
        }
        return response
    }

    private static func header(
        _ name: String,
        _ value: String,
        appends: Bool? = nil
    ) -> Envoy_Config_Core_V3_HeaderValueOption {
        .with {
            $0.header.key = name
            $0.header.value = value
            if let appends { $0.append = .init(appends) }
        }
    }
}
