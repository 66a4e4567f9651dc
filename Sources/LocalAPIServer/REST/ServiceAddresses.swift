import KubernetesAPI

/// Cluster addresses and node ports of Services, given out inside the write so that none is given twice.
enum ServiceAddresses {
    private static let nodePorts = 30_000...32_767

    static func assign(
        _ service: inout JSONValue,
        current: JSONValue?,
        name: String,
        range: String,
        in transaction: StoreTransaction
    ) throws {
        guard let range = AddressRange(range) else {
            throw APIFailure.internalError("the service range \(range) is not of the form 10.214.0.0/16")
        }
        let type = service.at("spec", "type")?.string ?? "ClusterIP"
        if type == "ExternalName" {
            service.mutate("spec") { spec in
                spec.set("clusterIP", nil)
                spec.set("clusterIPs", nil)
            }
            return
        }
        let others = transaction.objects(of: ResourceService.services, namespace: nil).filter {
            $0.uid != service.metadataString("uid")
        }
        try self.assignAddress(&service, current: current, name: name, range: range, others: others)
        if type == "NodePort" || type == "LoadBalancer" {
            try self.assignNodePorts(&service, current: current, name: name, others: others)
        }
    }

    private static func assignAddress(
        _ service: inout JSONValue,
        current: JSONValue?,
        name: String,
        range: AddressRange,
        others: [StoredObject]
    ) throws {
        func fault(_ value: String, _ why: String) -> APIFailure {
            .invalid(kind: "Service", group: "", name: name, [.invalid("spec.clusterIPs", [.string(value)], why)])
        }
        let previous = current?.at("spec", "clusterIP")?.string ?? ""
        var address = service.at("spec", "clusterIP")?.string ?? ""
        if address.isEmpty { address = previous }
        if !previous.isEmpty, address != previous {
            throw APIFailure.invalid(
                kind: "Service",
                group: "",
                name: name,
                [.invalid("spec.clusterIPs[0]", .string(address), "may not change once set")]
            )
        }
        if address != "None" {
            let taken = Set(others.compactMap { $0.json.at("spec", "clusterIP")?.string })
            if address.isEmpty {
                guard let free = range.free(notIn: taken) else {
                    throw APIFailure.internalError("no address is left in the service range \(range.text)")
                }
                address = free
            } else if previous.isEmpty {
                guard range.contains(address) else {
                    throw fault(
                        address,
                        "failed to allocate IP \(address): the provided IP is not in the valid range. "
                            + "The range of valid IPs is \(range.text)"
                    )
                }
                guard !taken.contains(address) else {
                    throw fault(address, "failed to allocate IP \(address): provided IP is already allocated")
                }
            }
        }
        service.mutate("spec") { spec in
            spec.set("clusterIP", .string(address))
            spec.set("clusterIPs", [.string(address)])
        }
    }

    private static func assignNodePorts(
        _ service: inout JSONValue,
        current: JSONValue?,
        name: String,
        others: [StoredObject]
    ) throws {
        var taken = Set(
            others.flatMap { $0.json.at("spec", "ports")?.array ?? [] }.compactMap { $0["nodePort"]?.int }
        )
        let previous = current?.at("spec", "ports")?.array ?? []
        var causes: [APIFailure.Cause] = []
        var index = 0
        service.mutate("spec") { spec in
            spec.mutateEach("ports") { port in
                defer { index += 1 }
                if let number = port["nodePort"]?.int, number != 0 {
                    if !self.nodePorts.contains(number) {
                        causes.append(
                            .invalid(
                                "spec.ports[\(index)].nodePort",
                                JSONValue(number),
                                "provided port is not in the valid range. The range of valid ports is 30000-32767"
                            )
                        )
                    } else if !taken.insert(number).inserted {
                        causes.append(
                            .invalid(
                                "spec.ports[\(index)].nodePort",
                                JSONValue(number),
                                "provided port is already allocated"
                            )
                        )
                    }
                    return
                }
                let kept = previous.first { $0["port"] == port["port"] && $0["protocol"] == port["protocol"] }
                let free =
                    kept?["nodePort"]?.int
                    ?? (0..<self.nodePorts.count).lazy
                    .map { _ in Int.random(in: self.nodePorts) }.first { !taken.contains($0) }
                guard let free else {
                    causes.append(.forbidden("spec.ports[\(index)].nodePort", "no node port is left"))
                    return
                }
                taken.insert(free)
                port.set("nodePort", JSONValue(free))
            }
        }
        if !causes.isEmpty { throw APIFailure.invalid(kind: "Service", group: "", name: name, causes) }
    }
}

/// An IPv4 range that addresses are taken from.
package struct AddressRange {
    let text: String
    private let first: UInt32
    private let count: UInt32

    package init?(_ text: String) {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let base = Self.number(parts[0]), let length = Int(parts[1]), (8...30).contains(length)
        else { return nil }
        self.text = text
        self.count = UInt32(1) << UInt32(32 - length)
        self.first = base & ~(self.count - 1)
    }

    package func contains(_ address: String) -> Bool {
        guard let number = Self.number(Substring(address)) else { return false }
        return number > self.first && number - self.first < self.count - 1
    }

    /// An address from past the first 16, which are left for well-known services; random, so that an address freed a
    /// moment ago is unlikely to mean something else at once.
    package func free(notIn taken: Set<String>) -> String? {
        let low: UInt32 = self.count > 64 ? 16 : 1
        let size = self.count - 1 - low
        let start = UInt32.random(in: 0..<size)
        for step in 0..<size {
            let address = Self.text(self.first + low + (start + step) % size)
            if !taken.contains(address) { return address }
        }
        return nil
    }

    private static func number(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard parts.count == 4, let a = parts[0], let b = parts[1], let c = parts[2], let d = parts[3] else {
            return nil
        }
        return UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    private static func text(_ number: UInt32) -> String {
        "\(number >> 24).\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
    }
}
