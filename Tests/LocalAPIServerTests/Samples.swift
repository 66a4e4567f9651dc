/// Manifests that several tests apply.
enum Samples {
    static let deployment = """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: 2
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec:
              containers:
              - name: web
                image: web:v1
                env: [{name: A, value: "1"}]
                ports: [{containerPort: 8080}]
        """

    static let pod = """
        apiVersion: v1
        kind: Pod
        metadata: {name: p1, labels: {app: x}}
        spec:
          nodeName: lateen
          containers: [{name: c, image: i}]
        """

    static let serviceEntry = """
        apiVersion: networking.istio.io/v1alpha3
        kind: ServiceEntry
        metadata:
          name: mysql-external
        spec:
          hosts: [mysqldb.outside.test]
          location: MESH_EXTERNAL
          ports:
          - {name: tcp, number: 3306, protocol: tcp}
        """

    static let definition: String = {
        let versions = ["v1alpha3", "v1beta1", "v1"].map { version in
            """
              - name: \(version)
                served: true
                storage: \(version == "v1")
                additionalPrinterColumns:
                - {name: Hosts, type: string, jsonPath: .spec.hosts}
                - {name: Location, type: string, jsonPath: .spec.location}
                schema:
                  openAPIV3Schema:
                    type: object
                    properties:
                      spec:
                        type: object
                        required: [hosts]
                        properties:
                          hosts: {type: array, items: {type: string}}
                          addresses: {type: array, items: {type: string}}
                          location: {type: string, enum: [MESH_EXTERNAL, MESH_INTERNAL]}
                          ports:
                            type: array
                            items:
                              type: object
                              properties:
                                name: {type: string}
                                number: {type: integer}
                                protocol: {type: string}
                                targetPort: {type: integer}

            """
        }
        return """
            apiVersion: apiextensions.k8s.io/v1
            kind: CustomResourceDefinition
            metadata: {name: serviceentries.networking.istio.io}
            spec:
              group: networking.istio.io
              scope: Namespaced
              names: {plural: serviceentries, singular: serviceentry, kind: ServiceEntry, shortNames: [se]}
              versions:

            """ + versions.joined()
    }()
}
