import KubernetesAPI
import NIOCore
import PolicyEngine
import Testing

@Suite struct RedisReplyTests {
    private static let text = "+OK\r\n-ERR no\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*3\r\n:1\r\n*0\r\n$2\r\nab\r\n*-1\r\n"
    private static let replies: [RedisReply] = [
        .text("OK"), .error("ERR no"), .number(-7), .text("a\r\n"), .null,
        .list([.number(1), .list([]), .text("ab")]), .null,
    ]

    @Test("Replies are read in order, wherever the network cuts them", arguments: [1, 2, 3, 7, 1000])
    func pieces(_ size: Int) throws {
        var buffer = ByteBuffer()
        var replies: [RedisReply] = []
        var rest = Array(Self.text.utf8)[...]

        while !rest.isEmpty {
            buffer.writeBytes(rest.prefix(size))
            rest = rest.dropFirst(size)
            while let reply = try RedisReply.read(&buffer) { replies.append(reply) }
        }

        #expect(replies == Self.replies)
        #expect(buffer.readableBytes == 0)
    }

    @Test(
        "What is no reply, or one without end, is refused",
        arguments: [
            "?\r\n", ":x\r\n", "$-2\r\n", "$99999999\r\n", "*99999999\r\n", "$1\r\nabc\r\n", "\r\n", "*x\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "+" + String(repeating: "x", count: RedisReply.bytesMax),
        ]
    )
    func malformed(_ text: String) {
        var buffer = ByteBuffer(string: text)

        #expect(throws: RedisReply.Malformed.self) { try RedisReply.read(&buffer) }
    }

    @Test("A command is its words with their lengths in bytes")
    func commands() {
        #expect(String(buffer: RedisReply.command(["GET", "ä"])) == "*2\r\n$3\r\nGET\r\n$2\r\nä\r\n")
    }

    @Test("Settings that mean nothing are named, an override's own window among them")
    func settings() {
        let quota: JSONValue = [
            "name": "rate", "maxAmount": 5, "validDuration": "1s", "rateLimitAlgorithm": "ROLLING_WINDOW",
            "bucketDuration": "0.5ms", "overrides": [["maxAmount": 1, "validDuration": "2s"]],
        ]
        let fixed: JSONValue = ["name": "other", "maxAmount": 5]
        let dispatcher = PolicyDispatcher.of([
            policyObject("redisquota", "redis", ["redisServerUrl": "redis:x", "quotas": [quota, fixed]])
        ])

        let fields = dispatcher.configuration.diagnoses.map(\.field)

        #expect(
            fields.sorted() == [
                "spec.quotas[0].bucketDuration", "spec.quotas[0].overrides[0].validDuration",
                "spec.quotas[1].valid_duration", "spec.redisServerUrl",
            ]
        )
    }

    @Test("Without a connection quota is refused at once")
    func unreachable() async {
        let dispatcher = PolicyDispatcher.of([
            policyObject(
                "redisquota",
                "redis",
                ["quotas": [["name": "rate", "maxAmount": 5, "validDuration": "1s"]]]
            ), policyObject("quota", "rate", ["dimensions": [:]]),
            policyObject("rule", "q", ["actions": [["handler": "redis", "instances": ["rate"]]]]),
        ])
        #expect(dispatcher.configuration.diagnoses.isEmpty)

        let answer = await dispatcher.quota("rate", QuotaRequest(amount: 1, bestEffort: true), request([:]))

        #expect(answer.status.code == .unavailable)
        #expect(answer.amount == 0)
    }
}
