internal import MeshModel
internal import NIOSSL
internal import TrafficEngine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Certificate and key, and where they came from.
struct SourcedCredential: Hashable {
    var credential: TLSCredential
    /// `secret "x"`, `file /x`: for messages.
    var source: String
    var reason: EndReason

    /// URI names of the leaf; empty if it cannot be read, which is said when the context is made.
    var uris: [String] {
        guard let leaf = try? NIOSSLCertificate.fromPEMBytes(self.credential.certificateChain).first else { return [] }
        return CertificateNames(leaf).uris
    }
}

/// What a peer's certificate must lead to, and where that came from.
struct SourcedRoots: Hashable {
    enum Kind: Hashable {
        /// No chain is checked.
        case unchecked
        case system
        case pem([UInt8])
    }

    var roots: Kind
    var revoked: RevocationList?
    var source: String
}

/// When and as what a file was read.
struct FileStamp: Hashable, Sendable {
    var seconds: Int
    var nanoseconds: Int
    var size: Int
    var inode: UInt64

    /// `nil`: there is no such file.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.seconds = status.st_mtim.tv_sec
        self.nanoseconds = status.st_mtim.tv_nsec
        self.size = Int(status.st_size)
        self.inode = UInt64(status.st_ino)
    }

    private init() { (self.seconds, self.nanoseconds, self.size, self.inode) = (0, 0, 0, 0) }

    /// Stands for a file that is not there, so that its coming is a change.
    static let absent = FileStamp()
}

/// Looks up what settings name, in secrets and files; remembers which files.
struct TLSSources {
    private let secrets: [String: TLSSecret]
    private(set) var stamps: [String: FileStamp] = [:]
    private var loaded: [String: [UInt8]] = [:]

    init(secrets: [String: TLSSecret]) { self.secrets = secrets }

    mutating func credential(_ source: CertificateSource, reason: EndReason) throws(TLSFault) -> SourcedCredential {
        switch source {
        case .secret(let name):
            guard let secret = self.secrets[name] else { throw Self.missing(name) }
            guard case .certificate(let credential) = secret else {
                throw TLSFault(reason: reason, message: "secret \(name) holds roots, not a certificate and its key")
            }
            return SourcedCredential(credential: credential, source: "secret \(name)", reason: reason)
        case .files(let chain, let key):
            let credential = TLSCredential(certificateChain: try self.file(chain), privateKey: try self.file(key))
            return SourcedCredential(credential: credential, source: "files \(chain), \(key)", reason: reason)
        case .inline(let credential):
            return SourcedCredential(credential: credential, source: "inline certificate", reason: reason)
        }
    }

    mutating func roots(_ validation: PeerValidation, reason: EndReason) throws(TLSFault) -> SourcedRoots {
        var list: [UInt8] = []
        let kind: SourcedRoots.Kind
        let source: String
        switch validation.roots {
        case .none: (kind, source) = (.unchecked, "no roots")
        case .system: (kind, source) = (.system, "the machine's roots")
        case .inline(let pem): (kind, source) = (.pem(pem), "inline roots")
        case .file(let path): (kind, source) = (.pem(try self.file(path)), "file \(path)")
        case .secret(let name):
            guard let secret = self.secrets[name] else { throw Self.missing(name) }
            source = "secret \(name)"
            switch secret {
            case .validation(let roots, let revocationList):
                kind = .pem(roots)
                list = revocationList
            case .certificate(let credential):
                guard !credential.roots.isEmpty else {
                    throw TLSFault(reason: reason, message: "secret \(name) holds no roots")
                }
                kind = .pem(credential.roots)
                list = credential.revocationList
            }
        }
        var listSource = source
        switch validation.revocationList {
        case .none: ()
        case .inline(let pem): (list, listSource) = (pem, "inline revocation list")
        case .file(let path): (list, listSource) = (try self.file(path), "file \(path)")
        }
        guard !list.isEmpty else { return SourcedRoots(roots: kind, revoked: nil, source: source) }
        guard let revoked = RevocationList(pem: list) else {
            throw TLSFault(reason: reason, message: "\(listSource): the revocation list is no PEM list")
        }
        return SourcedRoots(roots: kind, revoked: revoked, source: source)
    }

    private static func missing(_ name: String) -> TLSFault {
        TLSFault(reason: .noSecret, message: "secret \(name) has not been received")
    }

    private mutating func file(_ path: String) throws(TLSFault) -> [UInt8] {
        if let bytes = self.loaded[path] { return bytes }
        // The stamp first: a change while it is read is seen as one afterwards.
        self.stamps[path] = FileStamp(path: path) ?? .absent
        guard let bytes = Self.contents(of: path) else {
            throw TLSFault(reason: .noSecret, message: "file \(path): \(String(cString: strerror(errno)))")
        }
        self.loaded[path] = bytes
        return bytes
    }

    /// Certificates and lists of them are small.
    private static let bytesMax = 16 * 1024 * 1024

    private static func contents(of path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while bytes.count < Self.bytesMax {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return bytes }
            if count < 0 { return nil }
            bytes.append(contentsOf: buffer[..<count])
        }
        errno = EFBIG
        return nil
    }
}
