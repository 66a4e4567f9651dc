/// Names under which proxies ask for what Secrets hold; Istio's.
enum SecretName {
    private static let scheme = "kubernetes://"
    private static let rootsSuffix = "-cacert"

    /// Certificate and key of a Secret.
    static func certificate(_ secret: String) -> String { self.scheme + secret }

    /// Roots of a Secret, and its list of revoked certificates.
    static func roots(_ secret: String) -> String { self.scheme + secret + self.rootsSuffix }

    /// The Secret that has the certificate of this name; `nil` for names that mean no Secret.
    static func certificateSecret(_ name: String) -> String? {
        guard name.hasPrefix(self.scheme) else { return nil }
        return String(name.dropFirst(self.scheme.count))
    }

    /// Secrets that may have the roots of this name, likeliest first: roots often stand in a Secret of their own,
    /// `x-cacert` beside `x`, so that the key of `x` is nobody else's business.
    static func rootsSecrets(_ name: String) -> [String] {
        guard let own = self.certificateSecret(name) else { return [] }
        guard own.hasSuffix(self.rootsSuffix) else { return [own] }
        return [own, String(own.dropLast(self.rootsSuffix.count))]
    }
}
