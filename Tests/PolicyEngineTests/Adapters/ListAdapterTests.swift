import KubernetesAPI
import MeshModel
import PolicyEngine
import Testing

@Suite struct ListAdapterTests {
    private func dispatcher(_ settings: JSONValue, in environment: TestEnvironment = .init()) -> PolicyDispatcher {
        PolicyDispatcher.of(
            [
                policyObject("listchecker", "list", settings),
                policyObject("listentry", "entry", ["value": #"request.path | """#]),
                policyObject("rule", "r", ["actions": [["handler": "list", "instances": ["entry"]]]]),
            ],
            in: environment
        )
    }

    private func code(_ settings: JSONValue, _ value: String) async -> PolicyStatus.Code {
        let dispatcher = self.dispatcher(settings)
        #expect(dispatcher.configuration.diagnoses.isEmpty)
        return await dispatcher.check(request(["request.path": .string(value)])).status.code
    }

    @Test(
        "A list of what is allowed refuses the rest; a list of what is not refuses what is in it",
        arguments: [
            ("STRINGS", ["a", "B"], "a", true), ("STRINGS", ["a", "B"], "b", false),
            ("CASE_INSENSITIVE_STRINGS", ["a", "B"], "b", true),
            ("IP_ADDRESSES", ["10.0.0.0/8", "1.2.3.4"], "10.9.9.9", true),
            ("IP_ADDRESSES", ["10.0.0.0/8", "1.2.3.4"], "1.2.3.5", false),
            ("IP_ADDRESSES", ["1.2.3.4"], "::ffff:1.2.3.4", true),
            ("REGEX", ["^/api", "x+$"], "/api/1", true), ("REGEX", ["^/api", "x+$"], "/b", false),
        ]
    )
    func finds(_ type: String, _ entries: [String], _ value: String, _ isFound: Bool) async {
        let white: JSONValue = ["entryType": .string(type), "overrides": JSONValue(entries)]
        var black = white
        black["blacklist"] = true

        #expect(await self.code(white, value) == (isFound ? .ok : .notFound))
        #expect(await self.code(black, value) == (isFound ? .permissionDenied : .ok))
    }

    @Test("What cannot be looked up is refused by either kind of list")
    func unreadable() async {
        for isBlack in [true, false] {
            let settings: JSONValue = [
                "entryType": "IP_ADDRESSES", "overrides": ["1.2.3.4"], "blacklist": .bool(isBlack),
            ]
            #expect(await self.code(settings, "nowhere") == .invalidArgument)
        }
    }

    @Test("A list that was never fetched fails, whatever it is for")
    func unfetched() async {
        let dispatcher = self.dispatcher(["providerUrl": "http://list", "blacklist": true])

        #expect(await dispatcher.check(request(["request.path": .string("/")])).status.code == .unavailable)
    }

    @Test("Settings that mean nothing are named")
    func settings() {
        let fields = self.dispatcher([
            "overrides": ["nowhere"], "entryType": "IP_ADDRESSES", "ttl": "soon", "providerUrl": "list",
            "whitelist": true,
        ]).configuration.diagnoses.map(\.field)

        #expect(fields.sorted() == ["spec.overrides[0]", "spec.providerUrl", "spec.ttl", "spec.whitelist"].sorted())
    }

    @Test("A text is in a list by its bytes, not by what looks the same")
    func bytes() async {
        #expect(await self.code(["overrides": ["caf\u{e9}"]], "cafe\u{301}") == .notFound)
        #expect(await self.code(["overrides": ["caf\u{e9}"]], "caf\u{e9}") == .ok)
    }

    @Test("Patterns that would take too long together look nothing up")
    func work() async {
        let patterns = (0..<1000).map { "x{50}\($0)" }
        let settings: JSONValue = ["entryType": "REGEX", "overrides": JSONValue(patterns)]

        #expect(await self.code(settings, String(repeating: "x", count: 50) + "7") == .ok)
        #expect(await self.code(settings, String(repeating: "x", count: 50_000)) == .invalidArgument)
    }

    @Test(
        "An address is looked up as a text, or, in a list of addresses, by its range",
        arguments: [
            ("STRINGS", ["10.1.2.3"], true), ("STRINGS", ["10.0.0.0/8"], false), ("REGEX", ["^10\\.1\\."], true),
            ("IP_ADDRESSES", ["10.0.0.0/8"], true), ("IP_ADDRESSES", ["10.1.2.4/32"], false),
        ]
    )
    func addresses(_ type: String, _ entries: [String], _ isFound: Bool) async {
        let dispatcher = PolicyDispatcher.of([
            policyObject("listchecker", "list", ["entryType": .string(type), "overrides": JSONValue(entries)]),
            policyObject("listentry", "entry", ["value": #"source.ip | ip("0.0.0.0")"#]),
            policyObject("rule", "r", ["actions": [["handler": "list", "instances": ["entry"]]]]),
        ])
        #expect(dispatcher.configuration.diagnoses.isEmpty)

        let answer = await dispatcher.check(request(["source.ip": .ipAddress(.v4(0x0a01_0203))]))

        #expect(answer.status.code == (isFound ? .ok : .notFound))
    }

    @Test("A text that reads as a duration is a text; what is neither text nor address is a mistake")
    func types() {
        func messages(_ value: String) -> [String] {
            PolicyDispatcher.of([policyObject("listentry", "entry", ["value": .string(value)])])
                .configuration.diagnoses.map(\.message)
        }

        #expect(messages(#""5s""#).isEmpty)
        #expect(
            messages("request.size") == [
                "type error: column 1: the field needs STRING or IP_ADDRESS, `request.size` is INT64; in: request.size"
            ]
        )
        #expect(messages("request.pth").first?.contains("request.path") == true)
    }
}
