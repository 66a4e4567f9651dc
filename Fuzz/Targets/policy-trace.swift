// Questions of traces: nothing traps who reads them, and what a proxy's page says of attributes is what the engine reads.

import AdminServer
import KubernetesAPI
import MeshModel
import PolicyEngine
import TrafficEngine

private let vocabulary = AttributeVocabulary.standard

private let policy = MixerPolicy(
    checkServer: MixerPolicy.Server(cluster: ClusterID(index: 0), name: "engine"),
    reportServer: nil,
    failsOpen: false,
    attributes: ["destination.namespace": .text("shop"), "destination.ip": .bytes([10, 0, 0, 2])]
)

private func ask(_ text: String) {
    do throws(AttributeDocument.Mistake) {
        _ = try TraceQuestion(text.utf8, vocabulary: vocabulary)
    } catch {
        invariant(!error.description.isEmpty, "a refusal without a reason")
    }
}

/// A query to a proxy's page, whose attributes go to the engine.
private func walk(_ query: String) {
    let question: MixerTraceQuestion
    do throws(MixerTracePage.Mistake) {
        question = try MixerTracePage.question(AdminRequest(method: "GET", target: "/policy/trace?\(query)"))
    } catch {
        invariant(!error.description.isEmpty, "a refusal without a reason")
        return
    }
    let facts = PolicyFacts(
        source: question.connection.source,
        destination: question.connection.destination,
        serverName: question.connection.serverName,
        peer: question.peer
    )
    let attributes = question.request.withView { RequestAttributes($0, facts, policy).all(at: 1_600_000_000_000) }
    let trace = MixerTrace(
        listener: "virtualInbound",
        policy: policy,
        attributes: attributes,
        charges: [],
        endpoints: [question.connection.destination],
        loops: [MixerTrace.Loop()]
    )
    guard let page = try? JSONValue.parse(MixerTracePage.json(trace, faults: [:])) else {
        return invariant(false, "the page is no JSON")
    }
    let text = TraceQuestion.text(attributes: page["attributes"] ?? .null, asksAdapters: false)
    guard let read = try? TraceQuestion(text.utf8, vocabulary: vocabulary) else {
        return invariant(false, "the engine does not read what the page says")
    }
    for (name, value) in attributes {
        guard let slot = vocabulary.slot(of: name) else { continue }
        switch (value, read.bag[slot]) {
        case (.text(let text), .some(let other)): invariant(other.plainText == text, "\(name) has changed")
        case (.map(let entries), .stringMap(let others)?): invariant(entries == others, "\(name) has changed")
        case (_, nil): invariant(false, "\(name) is lost")
        default: ()
        }
    }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: count)
    guard let first = bytes.first else { return 0 }
    let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
    if first & 1 == 0 { ask(text) } else { walk(text) }
    return 0
}
