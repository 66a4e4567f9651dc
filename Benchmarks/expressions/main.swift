// How long expressions over a request's attributes take: prints `NAME<tab>NANOSECONDS<tab>EXPRESSION` a line.

import PolicyEngine

let vocabulary = AttributeVocabulary.standard

func bag(_ values: [String: AttributeValue]) -> AttributeBag {
    var bag = AttributeBag(vocabulary)
    for (name, value) in values {
        guard let slot = vocabulary.slot(of: name) else { fatalError("no attribute \(name)") }
        bag[slot] = value
    }
    return bag
}

let request = bag([
    "request.method": .string("GET"),
    "request.path": .string("/api/v1/products/12/ratings"),
    "request.size": .int64(412),
    "request.headers": .stringMap([
        ":authority": "ratings:9080", "accept": "*/*", "end-user": "jason", "user-agent": "python-requests/2.32",
        "x-b3-traceid": "2d1c0a7b6f3e4d5c", "x-request-id": "9b2f0c44-5a0e-4b8f-8a6e-2f3c4d5e6f70",
    ]),
    "source.namespace": .string("default"),
    "source.principal": .string("cluster.local/ns/default/sa/bookinfo-reviews"),
    "source.labels": .stringMap(["app": "reviews", "version": "v2"]),
    "source.ip": .address(bytes: [10, 213, 0, 14]) ?? .bool(false),
    "destination.service.host": .string("ratings.default.svc.cluster.local"),
    "destination.service.name": .string("ratings"),
    "destination.namespace": .string("default"),
    "destination.labels": .stringMap(["app": "ratings", "version": "v1"]),
    "response.code": .int64(200),
])

let expressions = [
    ("number", #"response.code == 200"#),
    ("text", #"destination.service.name == "ratings""#),
    ("label", #"source.labels["version"] == "v2""#),
    ("default", #"source.workload.name | source.namespace | "unknown""#),
    (
        "condition of a denial",
        #"destination.labels["app"] == "ratings" && source.labels["app"] == "reviews" && source.labels["version"] == "v3""#
    ),
    (
        "several conditions",
        #"(request.method == "GET" || request.method == "HEAD") && request.path.startsWith("/api/v1/") && "#
            + #"(request.headers["end-user"] | "nobody") != "nobody" && response.code < 400"#
    ),
    (
        "address, principal, host",
        #"(source.ip | ip("0.0.0.0")) != ip("10.213.0.15") && match(source.principal, "cluster.local/ns/default/*") && "#
            + #"destination.service.host.endsWith(".svc.cluster.local") && (request.size | 0) < 65536"#
    ),
    (
        "name for a log",
        #"conditional((request.headers["end-user"] | "") != "", source.labels["app"] + "-" + source.labels["version"], "#
            + #""anonymous")"#
    ),
]

let clock = ContinuousClock()
let count = 400_000
for (name, source) in expressions {
    let expression: CompiledExpression
    do { expression = try CompiledExpression(source, vocabulary: vocabulary) } catch {
        fatalError("\(source): \(error)")
    }
    var best = Duration.seconds(100)
    var sum = 0
    for _ in 0..<7 {
        let spent = clock.measure {
            for _ in 0..<count {
                // As for a request: with references of its own, into which all of its expressions note what they read.
                var evaluation = Evaluation(request)
                do {
                    switch try expression.evaluate(&evaluation) {
                    case .bool(let truth): sum &+= truth ? 1 : 0
                    case .string(let text): sum &+= text.utf8.count
                    default: sum &+= 2
                    }
                } catch { fatalError("\(source): \(error)") }
            }
        }
        best = min(best, spent)
    }
    guard sum > 0 || name == "condition of a denial" else { fatalError("\(source) gave nothing") }
    let nanoseconds = best / .nanoseconds(1) / Double(count)
    print("\(name)\t\(Int(nanoseconds.rounded()))\t\(source)")
}
