import MeshModel
import SwiftProtobuf
import XDSAPI

/// Rules about other origins in Envoy's words: a filter that every chain has, and settings of routes for it.
enum CrossOrigin {
    static let filterName = "envoy.filters.http.cors"

    typealias Policy = Envoy_Extensions_Filters_Http_Cors_V3_CorsPolicy

    static func policy(_ rule: CrossOriginRule) -> Policy {
        .with {
            $0.allowOriginStringMatch = rule.origins.map(RouteMatchBuilder.matcher)
            $0.allowMethods = rule.methods.joined(separator: ",")
            $0.allowHeaders = rule.headers.joined(separator: ",")
            $0.exposeHeaders = rule.headersExposed.joined(separator: ",")
            if let maxAge = rule.maxAge { $0.maxAge = "\(maxAge.components.seconds)" }
            if let allows = rule.allowsCredentials { $0.allowCredentials = Google_Protobuf_BoolValue(allows) }
            $0.forwardNotMatchingPreflights = Google_Protobuf_BoolValue(rule.forwardsUnmatchedPreflights)
        }
    }

    /// Where filters go that are asked before the routes' own settings count.
    static func place(in filters: [PolicyFilters.HTTPFilter]) -> Int {
        filters.firstIndex { $0.name == Self.filterName } ?? max(0, filters.count - 1)
    }
}
