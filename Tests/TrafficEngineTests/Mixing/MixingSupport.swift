import MeshModel
import TrafficEngine

/// A request to a workload, with what its connection and its proxy's settings say.
struct MixedRequest {
    var text = RequestText()
    var facts = PolicyFacts(
        source: .v4(0x0a00_0001),
        destination: NetworkAddress(ip: .v4(0x0a00_0002), port: 80)
    )
    var policy = MixerPolicy(
        checkServer: MixerPolicy.Server(cluster: ClusterID(index: 0), name: "mixer"),
        reportServer: nil,
        failsOpen: false,
        attributes: ["destination.namespace": .text("shop"), "destination.labels": .map(["app": "web"])]
    )
    var service: MixerService?

    func withAttributes<Result>(_ body: (RequestAttributes) -> Result) -> Result {
        self.text.withView { body(RequestAttributes($0, self.facts, self.policy, self.service)) }
    }

    init(_ target: String = "/", headers: [(String, String)] = []) {
        self.text.target = target
        self.text.headers = headers
    }

    init(peer: String) {
        self.facts.peer = PeerIdentity(uris: [peer])
    }
}

extension CheckAnswer {
    /// An answer that holds for a minute and depends on `references`.
    static func test(
        code: Int32 = 0,
        validFor duration: Duration = .seconds(60),
        uses: Int32 = -1,
        _ references: [CheckReference]?
    ) -> CheckAnswer {
        var answer = CheckAnswer(CheckVerdict(MixerStatus(code: code, message: "test")))
        answer.validDuration = duration
        answer.validUseCount = uses
        answer.references = references
        return answer
    }
}
