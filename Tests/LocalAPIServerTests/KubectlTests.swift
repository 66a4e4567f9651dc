import Foundation
import KubernetesAPI
import LocalAPIServer
import Testing

/// Drives the server with the real kubectl, as a user would.
@Suite(.enabled(if: RunningServer.kubectlPath != nil, "kubectl is not installed"), .timeLimit(.minutes(2)))
struct KubectlTests {
    @Test("An applied deployment is defaulted, listed, scaled, patched and deleted")
    func deployment() async throws {
        try await RunningServer.run { server in
            let applied = try await server.kubectl("apply", "-f", "-", input: Samples.deployment)
            #expect(applied.text == "deployment.apps/web created\n", "\(applied.errors)")
            let again = try await server.kubectl("apply", "-f", "-", input: Samples.deployment)
            #expect(again.text == "deployment.apps/web unchanged\n")

            let table = try await server.kubectl("get", "deploy", "--no-headers", "-o", "wide")
            #expect(table.text.split(separator: " ").prefix(2) == ["web", "0/2"])
            #expect(table.text.contains("app=web"))
            let field = try await server.kubectl("get", "deploy/web", "-o", "jsonpath={.spec.strategy.type}")
            #expect(field.text == "RollingUpdate")

            #expect(
                try await server.kubectl("scale", "deploy/web", "--replicas=3").text == "deployment.apps/web scaled\n"
            )
            let patch =
                #"{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"B","value":"2"}]}]}}}}"#
            _ = try await server.kubectl("patch", "deploy", "web", "-p", patch)
            let names = try await server.kubectl(
                "get",
                "deploy",
                "web",
                "-o",
                "jsonpath={.spec.template.spec.containers[0].env[*].name} {.spec.replicas}"
            )
            #expect(names.text == "A B 3")

            let status =
                #"{"status":{"observedGeneration":9,"replicas":3,"updatedReplicas":3,"readyReplicas":3,"#
                + #""availableReplicas":3,"conditions":[{"type":"Available","status":"True"}]}}"#
            _ = try await server.kubectl("patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", status)
            let waited = try await server.kubectl("wait", "--for=condition=Available", "deploy/web", "--timeout=10s")
            #expect(waited.text == "deployment.apps/web condition met\n")
            let rollout = try await server.kubectl("rollout", "status", "deploy/web", "--timeout=10s")
            #expect(rollout.text.contains("successfully rolled out"))
            #expect(try await server.kubectl("describe", "deploy", "web").text.contains("3 desired"))

            #expect(try await server.kubectl("delete", "deploy", "web").status == 0)
            #expect(try await server.kubectl("get", "deploy", "-o", "name").text.isEmpty)
        }
    }

    @Test("A custom kind is served in all versions, printed back as applied, and explained")
    func customKind() async throws {
        try await RunningServer.run { server in
            #expect(try await server.kubectl("apply", "-f", "-", input: Samples.definition).status == 0)
            let applied = try await server.kubectl("apply", "-f", "-", input: Samples.serviceEntry)
            #expect(applied.text == "serviceentry.networking.istio.io/mysql-external created\n", "\(applied.errors)")

            let printed = try await server.kubectl("get", "serviceentry", "mysql-external", "-o", "json")
            let object = try JSONValue.parse(printed.text)
            let given = try YAML.parse(Samples.serviceEntry)
            #expect(object["apiVersion"] == given["apiVersion"])
            #expect(object["spec"] == given["spec"])
            let other = try await server.kubectl("get", "serviceentries.v1.networking.istio.io", "-o", "json")
            #expect(try JSONValue.parse(other.text)["items"]?[0]?["apiVersion"] == "networking.istio.io/v1")
            #expect(try await server.kubectl("get", "se").text.contains("MESH_EXTERNAL"))
            #expect(try await server.kubectl("explain", "se.spec.ports").text.contains("number\t<integer>"))
        }
    }

    @Test("Unknown and ill-typed fields of a custom kind are refused with their path, and nothing is stored")
    func refusal() async throws {
        try await RunningServer.run { server in
            _ = try await server.kubectl("apply", "-f", "-", input: Samples.definition)
            let faults = [
                ("number: 3306", "number: abc", "spec.ports[0].number: Invalid value"),
                ("number: 3306", "numbr: 3306", "unknown field \"spec.ports[0].numbr\""),
                ("MESH_EXTERNAL", "MOON", "spec.location: Unsupported value: \"MOON\""),
                ("  hosts: [mysqldb.outside.test]", "  addresses: []", "spec.hosts: Required value"),
            ]
            for (good, bad, message) in faults {
                let refused = try await server.kubectl(
                    "apply",
                    "-f",
                    "-",
                    input: Samples.serviceEntry.replacing(good, with: bad)
                )
                #expect(refused.status == 1)
                #expect(refused.errors.contains(message), "\(refused.errors)")
            }
            #expect(try await server.kubectl("get", "se", "-o", "name").text.isEmpty)
            // Both spellings of a field are the same field.
            let alias = Samples.serviceEntry.replacing("number: 3306", with: "number: 3306, target_port: 1")
            #expect(try await server.kubectl("apply", "-f", "-", input: alias).status == 0)
        }
    }

    @Test("A running pod is deleted gracefully, and at once with force")
    func gracefulDeletion() async throws {
        try await RunningServer.run { server in
            _ = try await server.kubectl("apply", "-f", "-", input: Samples.pod)
            _ = try await server.kubectl("delete", "pod", "p1", "--wait=false")
            #expect(try await server.kubectl("get", "pod", "p1", "--no-headers").text.contains("Terminating"))
            _ = try await server.kubectl("delete", "pod", "p1", "--grace-period=0", "--force")
            #expect(try await server.kubectl("get", "pods", "-o", "name").text.isEmpty)
        }
    }

    @Test("Deleting a namespace deletes what is in it")
    func namespaceDeletion() async throws {
        try await RunningServer.run { server in
            #expect(try await server.kubectl("create", "namespace", "t1").text == "namespace/t1 created\n")
            let created = try await server.kubectl("-n", "t1", "create", "configmap", "c", "--from-literal=a=b")
            #expect(created.text == "configmap/c created\n", "\(created.errors)")
            #expect(try await server.kubectl("-n", "t1", "get", "sa", "-o", "name").text == "serviceaccount/default\n")
            #expect(try await server.kubectl("delete", "namespace", "t1").status == 0)
            #expect(try await server.kubectl("get", "namespace", "t1").errors.contains("NotFound"))
            #expect(try await server.kubectl("get", "cm", "-n", "t1", "-o", "name").text.isEmpty)
        }
    }

    @Test("Dependents go when their owner is deleted")
    func garbageCollection() async throws {
        try await RunningServer.run { server in
            _ = try await server.kubectl("create", "configmap", "owner")
            let uid = try await server.kubectl("get", "cm", "owner", "-o", "jsonpath={.metadata.uid}").text
            _ = try await server.kubectl(
                "apply",
                "-f",
                "-",
                input: """
                    apiVersion: v1
                    kind: ConfigMap
                    metadata:
                      name: child
                      ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: owner, uid: \(uid)}]
                    """
            )
            _ = try await server.kubectl("delete", "cm", "owner")
            #expect(try await server.kubectl("wait", "--for=delete", "cm/child", "--timeout=10s").status == 0)
        }
    }

    @Test("Logs and processes of a pod reach the client, with the exit status")
    func logsAndExec() async throws {
        try await RunningServer.run(backend: ScriptedBackend()) { server in
            _ = try await server.kubectl("apply", "-f", "-", input: Samples.pod)
            #expect(try await server.kubectl("logs", "p1", "--tail=5").text == "c tail=5\n")
            #expect(try await server.kubectl("logs", "p1", "-p").errors.contains("previous terminated container"))
            #expect(try await server.kubectl("logs", "p1", "-c", "x").errors.contains("container x is not valid"))
            #expect(try await server.kubectl("exec", "p1", "--", "echo", "hi").text == "echo hi\n")
            #expect(try await server.kubectl("exec", "-i", "p1", "--", "cat", input: "data\n").text == "data\n")
            let failed = try await server.kubectl("exec", "p1", "--", "fail")
            #expect(failed.status == 3)
            #expect(failed.errors.contains("no\n"))
            #expect(try await server.kubectl("exec", "p2", "--", "x").errors.contains("pods \"p2\" not found"))
        }
    }

    @Test("A service account's token opens the server as far as its roles let it, and nothing else does")
    func tokens() async throws {
        try await RunningServer.run { server in
            let token = try await server.kubectl("create", "token", "default").text
                .trimmingCharacters(in: .newlines)
            let base = [
                "--kubeconfig=/dev/null", "--server=https://127.0.0.1:\(server.port)",
                "--certificate-authority=\(server.folder.path)/pki/ca.crt",
            ]
            let early = try await server.kubectl(base[0], base[1], base[2], "--token=\(token)", "get", "ns")
            #expect(early.errors.contains("cannot list resource \"namespaces\" in API group \"\" at the cluster scope"))
            let mayList = try await server.kubectl(
                base[0],
                base[1],
                base[2],
                "--token=\(token)",
                "auth",
                "can-i",
                "list",
                "namespaces"
            )
            #expect(mayList.text.hasPrefix("no"), "\(mayList.errors)")
            let account = "system:serviceaccount:default:default"
            let seen = try await server.kubectl("auth", "can-i", "list", "secrets", "--as", account)
            #expect(seen.text.hasPrefix("no"), "\(seen.errors)")
            let pose = ["--token=\(token)", "--as=admin", "get", "ns"]
            let posing = try await server.kubectl(base[0], base[1], base[2], pose[0], pose[1], pose[2], pose[3])
            #expect(posing.errors.contains("cannot impersonate resource \"users\""), "\(posing.errors)")
            let bound = try await server.kubectl(
                "create",
                "clusterrolebinding",
                "all",
                "--clusterrole=cluster-admin",
                "--serviceaccount=default:default"
            )
            #expect(bound.status == 0, "\(bound.errors)")
            let allowed = try await server.kubectl(
                base[0],
                base[1],
                base[2],
                "--token=\(token)",
                "get",
                "ns",
                "-o",
                "name"
            )
            #expect(allowed.text.contains("namespace/default"), "\(allowed.errors)")
            let refused = try await server.kubectl(base[0], base[1], base[2], "--token=\(token)x", "get", "ns")
            #expect(refused.errors.contains("Unauthorized") || refused.errors.contains("must be logged in"))
        }
    }

    @Test("Services get an address of the range; one given twice is refused")
    func serviceAddresses() async throws {
        try await RunningServer.run { server in
            func service(_ name: String, _ extra: String) -> String {
                """
                apiVersion: v1
                kind: Service
                metadata: {name: \(name)}
                spec: {ports: [{port: 80}]\(extra)}
                """
            }
            _ = try await server.kubectl("apply", "-f", "-", input: service("a", ""))
            let address = try await server.kubectl("get", "svc", "a", "-o", "jsonpath={.spec.clusterIP}").text
            #expect(address.hasPrefix("10.214."))
            let second = try await server.kubectl("apply", "-f", "-", input: service("b", ", clusterIP: \(address)"))
            #expect(second.errors.contains("provided IP is already allocated"), "\(second.errors)")
            _ = try await server.kubectl("apply", "-f", "-", input: service("c", ", clusterIP: None"))
            #expect(try await server.kubectl("get", "svc", "c", "--no-headers").text.contains("None"))
            _ = try await server.kubectl("apply", "-f", "-", input: service("d", ", type: NodePort"))
            #expect(try await server.kubectl("get", "svc", "d", "--no-headers").text.contains("80:3"))
        }
    }

    @Test("A List is applied, changed and deleted as its items would be, and a mistake in an item is told")
    func list() async throws {
        @Sendable func list(_ value: String, _ member: String = "data") -> String {
            """
            apiVersion: v1
            kind: List
            items:
            - {apiVersion: v1, kind: ConfigMap, metadata: {name: one}, \(member): {a: "\(value)"}}
            - {apiVersion: v1, kind: ConfigMap, metadata: {name: two}, data: {b: "2"}}
            """
        }
        try await RunningServer.run { server in
            let created = try await server.kubectl("apply", "-f", "-", input: list("1"))
            #expect(created.text == "configmap/one created\nconfigmap/two created\n", "\(created.errors)")
            let changed = try await server.kubectl("apply", "-f", "-", input: list("3"))
            #expect(changed.text == "configmap/one configured\nconfigmap/two unchanged\n", "\(changed.errors)")
            let wrong = try await server.kubectl("apply", "-f", "-", input: list("4", "dada"))
            #expect(wrong.status != 0 && wrong.errors.contains("unknown field \"dada\""), "\(wrong.errors)")
            let diff = try await server.kubectl("diff", "-f", "-", input: list("5"))
            #expect(diff.status == 1 && diff.text.contains("+  a: \"5\""), "\(diff)")
            let replaced = try await server.kubectl("replace", "-f", "-", input: list("6"))
            #expect(replaced.status == 0, "\(replaced.errors)")
            let value = try await server.kubectl("get", "cm", "one", "-o", "jsonpath={.data.a}")
            #expect(value.text == "6")
            let deleted = try await server.kubectl("delete", "-f", "-", input: list("6"))
            #expect(deleted.status == 0, "\(deleted.errors)")
        }
    }

    @Test("Kinds are explained from both versions of the schema, custom ones as well")
    func explains() async throws {
        try await RunningServer.run { server in
            #expect(try await server.kubectl("apply", "-f", "-", input: Samples.definition).status == 0)
            for output in ["plaintext", "plaintext-openapiv2"] {
                let pod = try await server.kubectl("explain", "pods.spec.containers", "--output=\(output)")
                #expect(pod.text.contains("image"), "\(output): \(pod.errors)")
                let custom = try await server.kubectl("explain", "serviceentries.spec", "--output=\(output)")
                #expect(custom.text.contains("hosts"), "\(output): \(custom.errors)")
            }
        }
    }

    @Test("A warning that quotes control characters is sent without them, and the object is stored")
    func warnings() async throws {
        let object =
            #"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"odd"},"bad\u0007\u001bname":{}}"#
        try await RunningServer.run { server in
            let path = "/api/v1/namespaces/default/configmaps?fieldValidation=Warn"
            let created = try await server.kubectl("create", "--raw", path, "-f", "-", input: object)
            #expect(created.status == 0, "\(created.errors)")
            #expect(created.errors.contains("Warning: unknown field \"badname\""), "\(created.errors)")
            #expect(try await server.kubectl("get", "cm", "odd", "-o", "name").text == "configmap/odd\n")
        }
    }
}
