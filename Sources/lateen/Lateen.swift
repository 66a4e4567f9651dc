import ArgumentParser

/// The operator's command line.
@main
struct Lateen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lateen",
        abstract: "Lateen, a service mesh: runs it on this machine and looks into it.",
        discussion: """
            lateen up starts a whole mesh on this machine; every kubectl command works with it:

              lateen up --images Samples/images.yaml --with Samples/bookinfo/platform/kube/bookinfo.yaml
              export KUBECONFIG=$(lateen kubeconfig)
              kubectl get pods

            The state lies in /var/lib/lateen, or in the folder that LATEEN_HOME names.
            """,
        version: Version.text,
        subcommands: [
            Up.self, Down.self, StatusCommand.self, Version.self, KubeconfigCommand.self, KubeInject.self,
            ProxyStatus.self, ProxyConfig.self, Explain.self, DNS.self, Authz.self, Policy.self, VM.self,
            CreateRemoteSecret.self, RemoteClustersCommand.self, EastWestGateway.self, PlatformCommand.self,
        ]
    )
}
