import MeshModel
import SwiftProtobuf
import XDSAPI

/// Puts the conditions of a route into Envoy's words.
enum RouteMatchBuilder {
    static func match(_ match: RequestMatch) -> Envoy_Config_Route_V3_RouteMatch {
        var result = Envoy_Config_Route_V3_RouteMatch()
        switch match.path {
        case nil: result.prefix = "/"
        case .exact(let path): result.path = path
        case .prefix(let path): result.prefix = path
        case .regex(let pattern): result.safeRegex.regex = pattern
        }
        if match.isPathCaseInsensitive { result.caseSensitive = Google_Protobuf_BoolValue(false) }
        let pseudo: [(String, StringMatch?)] = [
            (":method", match.method), (":authority", match.authority), (":scheme", match.scheme),
        ]
        for case (let name, let condition?) in pseudo {
            result.headers.append(Self.header(name, condition))
        }
        for (name, condition) in match.headers.sorted(by: { $0.key < $1.key }) {
            result.headers.append(Self.header(name, condition))
        }
        for (name, condition) in match.headersAbsent.sorted(by: { $0.key < $1.key }) {
            var header = Self.header(name, condition)
            header.invertMatch = true
            // A header that is not there does not have the unwanted value.
            if condition != nil { header.treatMissingHeaderAsEmpty = true }
            result.headers.append(header)
        }
        for (name, condition) in match.queryParameters.sorted(by: { $0.key < $1.key }) {
            result.queryParameters.append(
                .with {
                    $0.name = name
                    if let condition {
                        $0.stringMatch = Self.matcher(condition)
                    } else {
                        $0.presentMatch = true
                    }
                }
            )
        }
        return result
    }

    private static func header(_ name: String, _ condition: StringMatch?) -> Envoy_Config_Route_V3_HeaderMatcher {
        .with {
            $0.name = name
            if let condition {
                $0.stringMatch = Self.matcher(condition)
            } else {
                $0.presentMatch = true
            }
        }
    }

    static func matcher(_ condition: StringMatch) -> Envoy_Type_Matcher_V3_StringMatcher {
        .with {
            switch condition {
            case .exact(let text): $0.exact = text
            case .prefix(let text): $0.prefix = text
            case .regex(let pattern): $0.safeRegex.regex = pattern
            }
        }
    }
}

/// Header changes of a rule and of its destination, in Envoy's words.
struct HeaderEditing {
    private(set) var requestAdd: [Envoy_Config_Core_V3_HeaderValueOption] = []
    private(set) var requestRemove: [String] = []
    private(set) var responseAdd: [Envoy_Config_Core_V3_HeaderValueOption] = []
    private(set) var responseRemove: [String] = []
    /// The authority that `set` asks for; Envoy has another place for it.
    private(set) var host: String?

    mutating func add(request: HeaderOperations, response: HeaderOperations) {
        var request = request
        for name in ["host", "authority", ":authority"] {
            if let value = request.set.removeValue(forKey: name) { self.host = value }
        }
        self.requestAdd += Self.options(request)
        self.requestRemove += request.remove
        self.responseAdd += Self.options(response)
        self.responseRemove += response.remove
    }

    /// Takes request headers away that came with the request; a rule may still set them.
    mutating func remove(_ names: [String]) {
        self.requestRemove += names.filter { !self.requestRemove.contains($0) }
    }

    private static func options(_ operations: HeaderOperations) -> [Envoy_Config_Core_V3_HeaderValueOption] {
        let set = operations.set.sorted { $0.key < $1.key }.map { ($0, $1, Action.overwriteIfExistsOrAdd) }
        let add = operations.add.sorted { $0.key < $1.key }.map { ($0, $1, Action.appendIfExistsOrAdd) }
        return (set + add).map { name, value, action in
            .with {
                $0.header.key = name
                $0.header.value = value
                $0.appendAction = action
            }
        }
    }

    private typealias Action = Envoy_Config_Core_V3_HeaderValueOption.HeaderAppendAction
}
