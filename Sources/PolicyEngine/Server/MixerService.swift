internal import Foundation
package import GRPCCore
package import MixerAPI
internal import SwiftProtobuf
internal import Synchronization

/// The service that proxies ask: `istio.mixer.v1.Mixer`.
///
/// A call fails only for what is wrong with the call itself: attributes that cannot be read (INVALID_ARGUMENT), too
/// many calls at once (UNAVAILABLE). A handler's refusal or failure stands in the answer, never in the call's status:
/// clients take a failed call for a broken network, and may have been told to let requests pass then.
package struct MixerService: Istio_Mixer_V1_Mixer.SimpleServiceProtocol {
    /// Calls at once; more are turned away before they cost anything.
    package static let callsMax = 4096
    /// Quotas in one check, entries in one report: clients send a few and a hundred. Each entry is held with all
    /// attributes until the last one is read, some 5 kB.
    package static let quotasMax = 64
    package static let entriesMax = 1000

    private let server: PolicyServer
    private let load = Load()

    package init(_ server: PolicyServer) { self.server = server }

    /// How many calls are under way.
    private final class Load: Sendable {
        private let calls = Mutex(0)

        func enter() throws {
            let isFull = self.calls.withLock { calls in
                guard calls < MixerService.callsMax else { return true }
                calls += 1
                return false
            }
            if isFull {
                throw RPCError(code: .unavailable, message: "more than \(MixerService.callsMax) calls at once")
            }
        }

        func leave() { self.calls.withLock { $0 -= 1 } }
    }

    // MARK: Check

    package func check(
        request: Istio_Mixer_V1_CheckRequest,
        context: ServerContext
    ) async throws -> Istio_Mixer_V1_CheckResponse {
        try self.load.enter()
        defer { self.load.leave() }
        guard request.quotas.count <= Self.quotasMax else {
            throw RPCError(code: .invalidArgument, message: "more than \(Self.quotasMax) quotas")
        }
        let dispatcher = self.server.dispatcher
        let vocabulary = dispatcher.configuration.vocabulary
        let decoder = AttributeDecoder(vocabulary: vocabulary)
        var bag = AttributeBag(vocabulary)
        try Self.decode(request.attributes, decoder, into: &bag)
        let encoder = AttributeEncoder(vocabulary: vocabulary, globalWordCount: Int(request.globalWordCount))

        let answer = await dispatcher.check(bag)
        var response = Istio_Mixer_V1_CheckResponse()
        response.precondition = .with {
            $0.status = Self.status(answer.status)
            $0.validDuration = Google_Protobuf_Duration(rounding: answer.validDuration)
            $0.validUseCount = answer.validUseCount
            $0.referencedAttributes = encoder.encode(answer.references)
            if let directive = Self.directive(answer) { $0.routeDirective = directive }
        }
        // A request that may not pass uses nothing up.
        guard answer.status.isOK else { return response }
        for (name, parameters) in request.quotas.sorted(by: { $0.key < $1.key }) {
            let quota = QuotaRequest(
                amount: parameters.amount,
                bestEffort: parameters.bestEffort,
                deduplicationID: request.deduplicationID.isEmpty ? "" : request.deduplicationID + name
            )
            let answer = await dispatcher.quota(name, quota, bag)
            response.quotas[name] = .with {
                $0.status = Self.status(answer.status)
                $0.validDuration = Google_Protobuf_Duration(rounding: answer.validDuration)
                $0.grantedAmount = answer.amount
                $0.referencedAttributes = encoder.encode(answer.references)
            }
        }
        return response
    }

    private static func decode(
        _ attributes: Istio_Mixer_V1_CompressedAttributes,
        _ decoder: AttributeDecoder,
        into bag: inout AttributeBag,
        defaultWords: [String] = []
    ) throws(RPCError) {
        do throws(AttributeDecoder.Malformed) {
            try decoder.decode(attributes, into: &bag, defaultWords: defaultWords)
        } catch {
            throw RPCError(code: .invalidArgument, message: "attributes cannot be read: \(error)")
        }
    }

    /// Proxies that were told to let requests pass without a network do so at an answer of INTERNAL, too: a verdict
    /// never is one.
    private static func status(_ status: PolicyStatus) -> Google_Rpc_Status {
        .with {
            $0.code = (status.code == .internalError ? .unavailable : status.code).number
            $0.message = status.message
        }
    }

    /// What the proxy does besides; `nil`: nothing.
    private static func directive(_ answer: CheckAnswer) -> Istio_Mixer_V1_RouteDirective? {
        guard !answer.requestHeaders.isEmpty || !answer.responseHeaders.isEmpty || answer.response != nil else {
            return nil
        }
        let headers = (answer.response?.headers ?? [:]).sorted { $0.key < $1.key }
            .map { HeaderChange(name: $0.key, value: $0.value, kind: .replace) }
        return .with {
            $0.requestHeaderOperations = answer.requestHeaders.map(Self.operation)
            $0.responseHeaderOperations = (answer.responseHeaders + headers).map(Self.operation)
            $0.directResponseCode = answer.response?.code ?? 0
            $0.directResponseBody = answer.response?.body ?? ""
        }
    }

    private static func operation(_ change: HeaderChange) -> Istio_Mixer_V1_HeaderOperation {
        .with {
            $0.name = change.name
            $0.value = change.value
            $0.operation =
                switch change.kind {
                case .replace: .replace
                case .remove: .remove
                case .append: .append
                }
        }
    }

    // MARK: Report

    package func report(
        request: Istio_Mixer_V1_ReportRequest,
        context: ServerContext
    ) async throws -> Istio_Mixer_V1_ReportResponse {
        try self.load.enter()
        defer { self.load.leave() }
        guard request.attributes.count <= Self.entriesMax else {
            throw RPCError(code: .invalidArgument, message: "more than \(Self.entriesMax) entries")
        }
        let dispatcher = self.server.dispatcher
        let vocabulary = dispatcher.configuration.vocabulary
        let decoder = AttributeDecoder(vocabulary: vocabulary)
        var bags: [AttributeBag] = []
        var bag = AttributeBag(vocabulary)
        // All are read before any is told to handlers: a report is taken as a whole or not at all.
        for attributes in request.attributes {
            switch request.repeatedAttributesSemantics {
            case .deltaEncoding: ()  // What an entry does not say is as in the one before.
            case .independentEncoding: bag = AttributeBag(vocabulary)
            case .UNRECOGNIZED(let number):
                throw RPCError(code: .invalidArgument, message: "unknown repeated_attributes_semantics \(number)")
            }
            try Self.decode(attributes, decoder, into: &bag, defaultWords: request.defaultWords)
            bags.append(bag)
        }
        await dispatcher.report(bags)
        return Istio_Mixer_V1_ReportResponse()
    }
}
