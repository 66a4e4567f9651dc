extension DirectResponse {
    /// `istio.policy.v1beta1.DirectHttpResponse`: code (1), body (2), headers (3).
    ///
    /// Without a code it has 0, for which proxies take what the status means in HTTP. What in it cannot be used is found
    /// where all handlers' responses are looked at. `nil`: it cannot be read.
    init?(encoded bytes: some Collection<UInt8>) {
        var response = DirectResponse(code: 0)
        var reader = WireReader(Array(bytes))
        while let field = reader.next() {
            switch (field.number, field.value) {
            case (1, .number(let code)): response.code = UInt32(clamping: code)
            case (2, .bytes(let body)): response.body = String(decoding: body, as: UTF8.self)
            case (3, .bytes(let entry)):
                guard let (name, value) = Self.header(entry) else { return nil }
                response.headers[name] = value
            default: continue  // Fields of later versions.
            }
        }
        if reader.isBroken { return nil }
        self = response
    }

    private static func header(_ bytes: ArraySlice<UInt8>) -> (name: String, value: String)? {
        var entry = (name: "", value: "")
        var reader = WireReader(bytes)
        while let field = reader.next() {
            guard case .bytes(let text) = field.value else { continue }
            if field.number == 1 { entry.name = String(decoding: text, as: UTF8.self) }
            if field.number == 2 { entry.value = String(decoding: text, as: UTF8.self) }
        }
        return reader.isBroken ? nil : entry
    }
}
