/// An answer's status: a code of gRPC and a text for people (`google.rpc.Status`).
package struct MixerStatus: Hashable, Sendable {
    package var code: Int32
    package var message: String

    package init(code: Int32 = 0, message: String = "") {
        self.code = code
        self.message = message
    }

    package var isOK: Bool { self.code == 0 }

    /// Names and HTTP statuses of the codes in their order, as Istio's proxies translate them.
    private static let codes: [(name: String, httpStatus: Int)] = [
        ("OK", 200), ("CANCELLED", 499), ("UNKNOWN", 500), ("INVALID_ARGUMENT", 400), ("DEADLINE_EXCEEDED", 504),
        ("NOT_FOUND", 404), ("ALREADY_EXISTS", 409), ("PERMISSION_DENIED", 403), ("RESOURCE_EXHAUSTED", 429),
        ("FAILED_PRECONDITION", 400), ("ABORTED", 409), ("OUT_OF_RANGE", 400), ("UNIMPLEMENTED", 501),
        ("INTERNAL", 500), ("UNAVAILABLE", 503), ("DATA_LOSS", 500), ("UNAUTHENTICATED", 401),
    ]

    /// `PERMISSION_DENIED`; a number that no code has is `UNKNOWN`.
    package var name: String { self.known.name }

    package var httpStatus: Int { self.known.httpStatus }

    private var known: (name: String, httpStatus: Int) {
        Self.codes.indices.contains(Int(self.code)) ? Self.codes[Int(self.code)] : Self.codes[2]
    }

    /// The body of a refusal: `PERMISSION_DENIED:deny.istio-system:not from here`.
    package var text: String { self.message.isEmpty ? self.name : "\(self.name):\(self.message)" }
}
