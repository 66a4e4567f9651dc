/// The ports that the mesh uses inside a pod and on the control plane; the numbers are Istio's.
package enum MeshPorts {
    package static let admin: UInt16 = 15000
    package static let outbound: UInt16 = 15001
    package static let inbound: UInt16 = 15006
    package static let xdsPlaintext: UInt16 = 15010
    /// xDS and certificates over TLS.
    package static let xds: UInt16 = 15012
    package static let controlMonitoring: UInt16 = 15014
    package static let webhook: UInt16 = 15017
    package static let ready: UInt16 = 15021
    package static let dns: UInt16 = 15053
    package static let prometheus: UInt16 = 15090
    /// User and group of the proxy; interception lets its traffic pass.
    package static let proxyUser: UInt32 = 1337
}
