import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct WorkloadEntryTests {
    private static func service(_ port: String, selector: String = "app: mysqldb") -> String {
        """
        {apiVersion: v1, kind: Service, metadata: {name: mysqldb, namespace: vm},
         spec: {clusterIP: 10.214.0.77, selector: {\(selector)}, ports: [\(port)]}}
        """
    }

    private static func machine(_ spec: String, metadata: String = "", status: String = "{}") -> String {
        """
        {apiVersion: networking.istio.io/v1, kind: WorkloadEntry,
         metadata: {name: db-1, namespace: vm\(metadata)}, spec: {\(spec)}, status: \(status)}
        """
    }

    private static let host = "mysqldb.vm.svc.cluster.local"
    private static let port = "{name: tcp-mysql, port: 3306}"

    @Test("A Service's selector finds WorkloadEntries of its namespace, with all that they say of themselves")
    func selectedByService() throws {
        let spec = """
            address: 10.215.0.40, ports: {tcp-mysql: 3307}, labels: {app: mysqldb, version: v1}, weight: 5,
            locality: eu/a/b, network: other, serviceAccount: mysql
            """
        let mesh = try Mesh([Self.service(Self.port), Self.machine(spec)].joined(separator: "\n---\n"))

        let endpoint = try #require(mesh.endpoints(Self.host).first)

        #expect(mesh.endpoints(Self.host).count == 1)
        #expect(endpoint.address == IPAddress("10.215.0.40").map(Endpoint.Address.ip))
        #expect(endpoint.port.number == 3307)
        #expect(endpoint.servicePortName == "tcp-mysql")
        #expect(endpoint.labels == ["app": "mysqldb", "version": "v1"])
        #expect(endpoint.weight == 5)
        #expect(endpoint.locality == Locality(region: "eu", zone: "a", subzone: "b"))
        #expect(endpoint.network == "other")
        #expect(endpoint.serviceAccount == "mysql")
        #expect(endpoint.workload == ObjectID(namespace: "vm", name: "db-1"))
        #expect(endpoint.isReady)
    }

    @Test("Selectors do not find entries of other namespaces or with other labels, and an empty one finds none")
    func notSelected() throws {
        let machine = Self.machine("address: 10.215.0.40, labels: {app: mysqldb}")
        let elsewhere = machine.replacing("namespace: vm", with: "namespace: other")
        for objects in [
            [Self.service(Self.port), elsewhere],
            [Self.service(Self.port, selector: "app: web"), machine],
            [Self.service(Self.port, selector: ""), machine],
        ] { #expect(try Mesh(objects.joined(separator: "\n---\n")).endpoints(Self.host).isEmpty) }
    }

    @Test(
        "The entry's own port comes first, then the Service's target port, by number or by name, then its number",
        arguments: [
            ("{tcp-mysql: 3307}", "{name: tcp-mysql, port: 3306, targetPort: 3308}", 3307),
            ("{}", "{name: tcp-mysql, port: 3306, targetPort: 3308}", 3308),
            ("{db: 3309}", "{name: tcp-mysql, port: 3306, targetPort: db}", 3309),
            ("{}", "{name: tcp-mysql, port: 3306, targetPort: db}", 3306),
            ("{}", "{name: tcp-mysql, port: 3306}", 3306),
        ]
    )
    func ports(_ own: String, _ port: String, _ expected: UInt16) throws {
        let machine = Self.machine("address: 10.215.0.40, labels: {app: mysqldb}, ports: \(own)")
        let mesh = try Mesh([Self.service(port), machine].joined(separator: "\n---\n"))
        #expect(mesh.endpoints(Self.host).map(\.port.number) == [expected])
    }

    @Test(
        "Mutual TLS goes by the label, and without it by whether the entry has an account",
        arguments: [
            ("{app: mysqldb}", "", false), ("{app: mysqldb}", ", serviceAccount: mysql", true),
            ("{app: mysqldb, security.istio.io/tlsMode: istio}", "", true),
            ("{app: mysqldb, security.istio.io/tlsMode: disabled}", ", serviceAccount: mysql", false),
        ]
    )
    func identity(_ labels: String, _ account: String, _ expected: Bool) throws {
        let machine = Self.machine("address: 10.215.0.40, labels: \(labels)\(account)")
        let mesh = try Mesh([Self.service(Self.port), machine].joined(separator: "\n---\n"))
        #expect(mesh.endpoints(Self.host).map(\.hasMeshIdentity) == [expected])
    }

    @Test("Labels of the metadata count as well, and before those of the spec")
    func labels() throws {
        let machine = Self.machine(
            "address: 10.215.0.40, labels: {app: web, version: v1}",
            metadata: ", labels: {app: mysqldb}"
        )
        let mesh = try Mesh([Self.service(Self.port), machine].joined(separator: "\n---\n"))
        #expect(mesh.endpoints(Self.host).map(\.labels) == [["app": "mysqldb", "version": "v1"]])
    }

    @Test(
        "An entry that its proxy calls unhealthy, or that has to be called healthy first, receives nothing",
        arguments: [
            ("", "{}", true),
            ("", "{conditions: [{type: Healthy, status: 'False'}]}", false),
            ("", "{conditions: [{type: Healthy, status: 'True'}]}", true),
            (", annotations: {proxy.istio.io/health-checks-enabled: 'true'}", "{}", false),
            (
                ", annotations: {proxy.istio.io/health-checks-enabled: 'true'}",
                "{conditions: [{type: Healthy, status: 'True'}]}", true
            ),
        ]
    )
    func health(_ metadata: String, _ status: String, _ expected: Bool) throws {
        let machine = Self.machine("address: 10.215.0.40, labels: {app: mysqldb}", metadata: metadata, status: status)
        let mesh = try Mesh([Self.service(Self.port), machine].joined(separator: "\n---\n"))
        #expect(mesh.endpoints(Self.host).map(\.isReady) == [expected])
    }

    @Test("A ServiceEntry's workloadSelector finds entries beside pods; a name as address needs resolution DNS")
    func selectedByServiceEntry() throws {
        func entry(_ resolution: String) -> String {
            """
            {apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: db, namespace: vm},
             spec: {hosts: [db.example], resolution: \(resolution), workloadSelector: {labels: {app: mysqldb}},
                    ports: [{number: 3306, name: tcp, protocol: TCP, targetPort: 3310}]}}
            """
        }
        let numbered = Self.machine("address: 10.215.0.40, labels: {app: mysqldb}")
        let named = Self.machine("address: db-1.example, labels: {app: mysqldb}")

        #expect(try Mesh([entry("STATIC"), numbered].joined(separator: "\n---\n")).endpoints("db.example").count == 1)
        #expect(try Mesh([entry("STATIC"), named].joined(separator: "\n---\n")).endpoints("db.example").isEmpty)
        let found = try Mesh([entry("DNS"), named].joined(separator: "\n---\n")).endpoints("db.example")
        #expect(found.map(\.address) == HostName("db-1.example").map { [.name($0)] })
        #expect(found.map(\.port.number) == [3310])
    }

    @Test("The name of a headless Service leads to the machines that it selects and that are well")
    func headless() throws {
        let service = Self.service(Self.port).replacing("clusterIP: 10.214.0.77", with: "clusterIP: None")
        let well = Self.machine("address: 10.215.0.40, labels: {app: mysqldb}")
        let ill = Self.machine(
            "address: 10.215.0.41, labels: {app: mysqldb}",
            status: "{conditions: [{type: Healthy, status: 'False'}]}"
        ).replacing("name: db-1", with: "name: db-2")
        let snapshot = try Mesh([service, well, ill].joined(separator: "\n---\n")).snapshot
        let key = ServiceKey(try #require(snapshot.services.first))
        let address = try #require(IPAddress("10.215.0.40"))
        #expect(snapshot.instances[key] == [ServiceInstance(address: address)])
        #expect(snapshot.endpoints[key]?.count == 2)
    }

    @Test("An entry is a workload by its address, where no pod has it")
    func workload() throws {
        let machine = Self.machine("address: 10.215.0.40, labels: {app: mysqldb}, serviceAccount: mysql")
        let address = try #require(IPAddress("10.215.0.40"))
        let found = try #require(try Mesh(machine).snapshot.workloads[address])
        #expect(found.id == ObjectID(namespace: "vm", name: "db-1"))
        #expect(found.serviceAccount == "mysql")
        #expect(found.labels == ["app": "mysqldb"])
    }

    @Test("A change of an entry touches the services that select it, before or after, and nothing else")
    func changes() throws {
        var mesh = try Mesh(Self.service(Self.port))
        let key = try #require(mesh.snapshot.services.first.map { ServiceKey($0) })
        var snapshot = mesh.snapshot
        func check(_ change: MeshChange) {
            snapshot = SnapshotBuilder.rebuild(snapshot, after: change, of: mesh.objects, revision: 2)
            let fresh = SnapshotBuilder.build(mesh.objects, revision: 2)
            #expect(snapshot.endpoints == fresh.endpoints)
            #expect(snapshot.workloads == fresh.workloads)
            #expect(snapshot.diagnoses == fresh.diagnoses)
        }

        let added = try mesh.apply(Self.machine("address: 10.215.0.40, labels: {app: mysqldb}"))
        #expect(added == [.endpoints([key])])
        added.forEach(check)
        #expect(try mesh.apply(Self.machine("address: 10.215.0.40, labels: {app: mysqldb}")) == [.nothing])
        let moved = try mesh.apply(Self.machine("address: 10.215.0.40, labels: {app: web}"))
        #expect(moved == [.endpoints([key])])
        moved.forEach(check)
        let other = try mesh.apply(Self.machine("address: 10.215.0.41, labels: {app: web}"))
        #expect(other == [.endpoints([])])
        other.forEach(check)
        try mesh.apply(Self.machine("address: '', labels: {app: web}")).forEach(check)
        #expect(mesh.errors().count == 1)
        check(mesh.delete(.workloadEntry, "db-1", namespace: "vm"))
        #expect(mesh.errors().isEmpty)
    }

    @Test(
        "Mistakes are named",
        arguments: [
            ("labels: {a: b}", "spec.address: is needed"), ("address: 'unix:///x'", "spec.address: unix sockets"),
            ("address: 'a b'", "spec.address: `a b` is neither"), ("address: '*.x'", "spec.address: `*.x` is neither"),
            ("address: 1.2.3.4, ports: {a: 65536}", "spec.ports.a: 65536 is no port"),
        ]
    )
    func mistakes(_ spec: String, _ expected: String) throws {
        let errors = try Mesh(Self.machine(spec)).errors()
        #expect(errors.count == 1)
        #expect(errors.first?.hasPrefix(expected) == true, "\(errors)")
    }

    @Test(
        "Mistakes in a group are named before it is stored",
        arguments: [
            ("{}", "spec.template: is needed"),
            ("{template: {address: 1.2.3.4}}", "spec.template.address: each machine has its own"),
            ("{template: {ports: {a: 0}}}", "spec.template.ports.a: 0 is no port"),
            ("{template: {}, probe: {}}", "spec.probe: says no way"),
            ("{template: {}, probe: {grpc: {port: 1}}}", "spec.probe.grpc: is not supported"),
            ("{template: {}, probe: {httpGet: {port: 0}}}", "spec.probe.httpGet.port: 0 is no port"),
            ("{template: {}, probe: {httpGet: {port: 1, scheme: x}}}", "spec.probe.httpGet.scheme: `x` is neither"),
            ("{template: {}, probe: {exec: {command: []}}}", "spec.probe.exec.command: names no program"),
        ]
    )
    func groupMistakes(_ spec: String, _ expected: String) throws {
        let yaml = """
            {apiVersion: networking.istio.io/v1, kind: WorkloadGroup, metadata: {name: db, namespace: vm}, spec: \(spec)}
            """
        let object = KubernetesObject(json: try #require(try YAML.documents(yaml).first).value)
        let errors = Validator.errors(for: object).map(\.description)
        #expect(errors.count == 1)
        #expect(errors.first?.hasPrefix(expected) == true, "\(errors)")
    }
}
