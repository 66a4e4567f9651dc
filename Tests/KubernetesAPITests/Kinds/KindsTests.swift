import KubernetesAPI
import Testing

@Suite struct KindsTests {
    @Test("A pod is decoded with what we use, and unknown fields are ignored")
    func pod() throws {
        let text = """
            apiVersion: v1
            kind: Pod
            metadata: {name: ratings, namespace: default, labels: {app: ratings}}
            spec:
              unknownField: 1
              containers:
              - name: ratings
                image: bookinfo/ratings
                env:
                - {name: A, value: b}
                - name: IP
                  valueFrom: {fieldRef: {fieldPath: status.podIP}}
                ports: [{containerPort: 9080}]
                readinessProbe: {httpGet: {path: /health, port: http}}
                securityContext: {runAsUser: 1337, capabilities: {add: [NET_ADMIN]}}
              volumes:
              - name: all
                projected:
                  sources:
                  - serviceAccountToken: {path: token, expirationSeconds: 3607}
                  - configMap: {name: ca, items: [{key: ca.crt, path: ca.crt}]}
            status: {phase: Running, podIP: 10.213.1.5, conditions: [{type: Ready, status: "True"}]}
            """
        let pod = try KubernetesObject(json: YAML.parse(text)).decode(Pod.self)

        #expect(pod.metadata.labels == ["app": "ratings"])
        #expect(pod.spec.containers[0].env[1].valueFrom?.fieldRef?.fieldPath == "status.podIP")
        #expect(pod.spec.containers[0].readinessProbe?.httpGet?.port == .string("http"))
        #expect(pod.spec.containers[0].securityContext?.capabilities?.add == ["NET_ADMIN"])
        #expect(pod.spec.containers[0].command == [])
        #expect(pod.spec.volumes[0].projected?.sources[0].serviceAccountToken?.expirationSeconds == 3607)
        #expect(pod.status.isReady)
    }

    @Test("A secret's bytes are decoded")
    func secret() throws {
        let secret = try (["data": ["k": "aGVsbG8="]] as JSONValue).decode(Secret.self)
        #expect(secret.bytes("k") == Array("hello".utf8))
        #expect(secret.bytes("none") == nil)
    }

    @Test("Percentages of pods are rounded the way that is asked for")
    func scaled() {
        #expect(IntOrString.string("25%").scaled(of: 3, roundingUp: true) == 1)
        #expect(IntOrString.string("25%").scaled(of: 3, roundingUp: false) == 0)
        #expect(IntOrString.int(2).scaled(of: 3, roundingUp: false) == 2)
        #expect(IntOrString.string("x").scaled(of: 3, roundingUp: false) == nil)
    }
}

@Suite struct LabelSelectorTests {
    @Test(
        "A text selects by all its parts",
        arguments: [
            ("", true), ("app=web", true), ("app==web", true), ("app=db", false), ("app!=db", true),
            ("app!=web", false), ("none!=x", true), ("app", true), ("none", false), ("!none", true), ("!app", false),
            ("app in (web, db)", true), ("app notin (web)", false), ("none notin (x)", true),
            ("app=web,tier in (front,back),!x", true), ("app=web,tier=back", false), ("empty=", true),
        ]
    )
    func matches(_ text: String, _ expected: Bool) throws {
        let selector = try #require(LabelSelector(text))
        #expect(selector.matches(["app": "web", "tier": "front", "empty": ""]) == expected)
    }

    @Test("Malformed texts are refused", arguments: ["=a", "a in b", "a in", "(a)", "a b", "a!b", "!", ",", "a=b=c"])
    func refuses(_ text: String) { #expect(LabelSelector(text) == nil) }

    @Test("Labels and expressions of an object must all hold")
    func objectForm() throws {
        let json: JSONValue = [
            "matchLabels": ["app": "web"],
            "matchExpressions": [["key": "v", "operator": "In", "values": ["1", "2"]]],
        ]
        let selector = try json.decode(LabelSelector.self)
        #expect(selector.matches(["app": "web", "v": "2"]))
        #expect(!selector.matches(["app": "web", "v": "3"]))
        #expect(!selector.matches(["app": "web"]))
        #expect(selector.text == "app=web,v in (1,2)")
    }

    @Test("An unknown operator matches nothing")
    func unknownOperator() {
        let selector = LabelSelector(matchExpressions: [.init(key: "a", operator: "Gt", values: ["1"])])
        #expect(!selector.matches(["a": "2"]))
    }
}
