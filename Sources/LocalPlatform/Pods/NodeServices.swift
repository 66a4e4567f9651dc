import Foundation
import KubernetesAPI
import Logging
import MeshModel
import NIOCore
import Synchronization

/// What all pods of the node share.
struct NodeServices: Sendable {
    let client: KubernetesClient
    let mirror: Mirror
    let events: EventRecorder
    let state: StateFolder
    let network: PlatformNetwork
    let catalogue: CatalogueHolder
    let addresses: AddressBook
    let eventLoops: any EventLoopGroup
    /// A file that stands in pods for the machine's bundle of trusted roots; `nil`: the machine's own is seen.
    let trustedRoots: String?
    let runtimeFolders: [String]
    let rootLinks: [String: String?]
    let logger: Logger
}

/// The catalogue in use; it is replaced as a whole when its files are read again.
final class CatalogueHolder: Sendable {
    private let state: Mutex<ImageCatalogue>

    init(_ catalogue: ImageCatalogue) { self.state = Mutex(catalogue) }

    var current: ImageCatalogue { self.state.withLock { $0 } }

    func replace(_ catalogue: ImageCatalogue) { self.state.withLock { $0 = catalogue } }
}

/// The address pool with its file: an address is on disk before it is used.
actor AddressBook {
    private var pool: AddressPool
    private let file: URL
    private let network: PlatformNetwork

    init(file: URL, network: PlatformNetwork) {
        self.file = file
        self.network = network
        self.pool = AddressPool.read(file)
    }

    func allocate(_ uid: String) throws -> String {
        guard let address = self.pool.allocate(uid, in: self.network.podAddresses) else {
            throw PlatformError("no pod address is left in \(self.network.podRange)")
        }
        try self.pool.write(self.file)
        return address.description
    }

    func release(_ uid: String) {
        self.pool.release(uid)
        try? self.pool.write(self.file)  // At worst the address stays taken until the next start.
    }

    func keep(only uids: Set<String>) {
        self.pool.keep(only: uids)
        try? self.pool.write(self.file)  // As above.
    }
}
