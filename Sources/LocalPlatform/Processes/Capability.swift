/// A Linux capability, by its number in the kernel's header.
package enum Capability: Int, Sendable, Hashable, CaseIterable {
    case chown = 0
    case dacOverride = 1
    case fowner = 3
    case fsetid = 4
    case kill = 5
    case setgid = 6
    case setuid = 7
    case setpcap = 8
    case netBindService = 10
    case netAdmin = 12
    case netRaw = 13
    case sysChroot = 18
    case sysPtrace = 19
    case sysAdmin = 21
    case sysNice = 23

    /// What a container gets unless it asks for more. Kubernetes' default also has MKNOD, SETFCAP, AUDIT_WRITE and
    /// NET_RAW; nothing here needs them.
    package static let ofContainers: Set<Capability> = [
        .chown, .dacOverride, .fowner, .fsetid, .kill, .setgid, .setuid, .setpcap, .netBindService, .sysChroot,
    ]

    /// The name in `securityContext.capabilities` (`NET_ADMIN`); `nil` for one that is not given out.
    package init?(kubernetesName: String) {
        let name = kubernetesName.hasPrefix("CAP_") ? String(kubernetesName.dropFirst(4)) : kubernetesName
        guard let found = Self.allCases.first(where: { $0.kubernetesName == name }) else { return nil }
        self = found
    }

    package var kubernetesName: String {
        switch self {
        case .chown: "CHOWN"
        case .dacOverride: "DAC_OVERRIDE"
        case .fowner: "FOWNER"
        case .fsetid: "FSETID"
        case .kill: "KILL"
        case .setgid: "SETGID"
        case .setuid: "SETUID"
        case .setpcap: "SETPCAP"
        case .netBindService: "NET_BIND_SERVICE"
        case .netAdmin: "NET_ADMIN"
        case .netRaw: "NET_RAW"
        case .sysChroot: "SYS_CHROOT"
        case .sysPtrace: "SYS_PTRACE"
        case .sysAdmin: "SYS_ADMIN"
        case .sysNice: "SYS_NICE"
        }
    }

    package static func mask(_ set: Set<Capability>) -> UInt64 { set.reduce(0) { $0 | 1 << UInt64($1.rawValue) } }
}
