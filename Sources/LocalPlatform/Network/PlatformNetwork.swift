/// The addresses of one platform; they are the same on every machine.
package enum PlatformNetwork {
    package static let podBridge = "lateen0"
    package static let outsideBridge = "lateen1"
    /// Prefix of every network namespace and of the host's ends of links.
    package static let namespacePrefix = "lateen-"

    package static let gateway = "10.213.0.1"
    package static let podRange = "10.213.0.0/16"
    package static let serviceRange = "10.214.0.0/16"
    package static let outsideGateway = "10.215.0.1"
    package static let outsideRange = "10.215.0.0/24"
    package static let kubernetesService = "10.214.0.1"
    package static let clusterDNS = "10.214.0.10"
    package static let clusterDomain = "cluster.local"
    package static let apiPort = 16443
    package static let nodeName = "lateen"

    /// Pods get 10.213.1.0 to 10.213.255.254.
    static let podAddresses: ClosedRange<UInt32> = 0x0AD5_0100...0x0AD5_FFFE

    /// Host names that lie outside the mesh are in this zone; RFC 6761 reserves it.
    package static let outsideZone = "outside.test"
}
