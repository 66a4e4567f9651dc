/// The fields of the built-in kinds, in the notation of ``SchemaText``.
package enum BuiltinSchemas {
    package static let text = """
        ObjectMeta name:str generateName:str namespace:str selfLink:str uid:str resourceVersion:str generation:int
        ObjectMeta creationTimestamp:time deletionTimestamp:time deletionGracePeriodSeconds:int labels:map annotations:map
        ObjectMeta ownerReferences:[OwnerReference]@uid finalizers:[str]@ managedFields:[any]
        OwnerReference apiVersion:str! kind:str! name:str! uid:str! controller:bool blockOwnerDeletion:bool
        LabelSelector matchLabels:map matchExpressions:[LabelSelectorRequirement]
        LabelSelectorRequirement key:str! operator:str! values:[str]
        LocalObjectReference name:str
        ObjectReference kind:str namespace:str name:str uid:str apiVersion:str resourceVersion:str fieldPath:str
        Condition type:str! status:str! observedGeneration:int lastTransitionTime:time reason:str message:str
        Condition lastProbeTime:time lastUpdateTime:time lastHeartbeatTime:time

        Namespace apiVersion:str kind:str metadata:ObjectMeta spec:NamespaceSpec status:NamespaceStatus
        NamespaceSpec finalizers:[str]
        NamespaceStatus phase:str conditions:[Condition]@type

        ConfigMap apiVersion:str kind:str metadata:ObjectMeta data:map binaryData:map immutable:bool
        Secret apiVersion:str kind:str metadata:ObjectMeta data:map stringData:map type:str immutable:bool
        ServiceAccount apiVersion:str kind:str metadata:ObjectMeta secrets:[ObjectReference]@name
        ServiceAccount imagePullSecrets:[LocalObjectReference] automountServiceAccountToken:bool

        Pod apiVersion:str kind:str metadata:ObjectMeta spec:PodSpec! status:PodStatus
        PodTemplateSpec metadata:ObjectMeta spec:PodSpec
        PodSpec volumes:[Volume]@name initContainers:[Container]@name containers:[Container]@name!
        PodSpec ephemeralContainers:[any] restartPolicy:str terminationGracePeriodSeconds:int activeDeadlineSeconds:int
        PodSpec dnsPolicy:str nodeSelector:map serviceAccountName:str serviceAccount:str
        PodSpec automountServiceAccountToken:bool nodeName:str hostNetwork:bool hostPID:bool hostIPC:bool
        PodSpec shareProcessNamespace:bool securityContext:PodSecurityContext
        PodSpec imagePullSecrets:[LocalObjectReference]@name hostname:str subdomain:str affinity:any schedulerName:str
        PodSpec tolerations:[Toleration] hostAliases:[HostAlias]@ip priorityClassName:str priority:int32
        PodSpec dnsConfig:PodDNSConfig readinessGates:[any] runtimeClassName:str enableServiceLinks:bool
        PodSpec preemptionPolicy:str overhead:{quantity} topologySpreadConstraints:[any] setHostnameAsFQDN:bool os:any
        PodSpec hostUsers:bool schedulingGates:[any] resourceClaims:[any] resources:ResourceRequirements
        Toleration key:str operator:str value:str effect:str tolerationSeconds:int
        HostAlias ip:str! hostnames:[str]
        PodDNSConfig nameservers:[str] searches:[str] options:[PodDNSConfigOption]
        PodDNSConfigOption name:str value:str
        PodSecurityContext seLinuxOptions:any windowsOptions:any runAsUser:int runAsGroup:int runAsNonRoot:bool
        PodSecurityContext supplementalGroups:[int] supplementalGroupsPolicy:str fsGroup:int sysctls:[any]
        PodSecurityContext fsGroupChangePolicy:str seccompProfile:any appArmorProfile:any seLinuxChangePolicy:str
        Container name:str! image:str command:[str] args:[str] workingDir:str ports:[ContainerPort]@containerPort,protocol
        Container envFrom:[EnvFromSource] env:[EnvVar]@name resources:ResourceRequirements resizePolicy:[any]
        Container restartPolicy:str volumeMounts:[VolumeMount]@mountPath volumeDevices:[any] livenessProbe:Probe
        Container readinessProbe:Probe startupProbe:Probe lifecycle:Lifecycle terminationMessagePath:str
        Container terminationMessagePolicy:str imagePullPolicy:str securityContext:SecurityContext stdin:bool
        Container stdinOnce:bool tty:bool
        ContainerPort name:str hostPort:int32 containerPort:int32! protocol:str hostIP:str
        EnvFromSource prefix:str configMapRef:NamedOptional secretRef:NamedOptional
        NamedOptional name:str optional:bool
        EnvVar name:str! value:str valueFrom:EnvVarSource
        EnvVarSource fieldRef:FieldRef resourceFieldRef:ResourceFieldRef configMapKeyRef:KeyRef secretKeyRef:KeyRef
        FieldRef apiVersion:str fieldPath:str!
        ResourceFieldRef containerName:str resource:str! divisor:quantity
        KeyRef name:str key:str! optional:bool
        ResourceRequirements limits:{quantity} requests:{quantity} claims:[any]
        VolumeMount name:str! readOnly:bool recursiveReadOnly:str mountPath:str! subPath:str mountPropagation:str
        VolumeMount subPathExpr:str
        Probe exec:ExecAction httpGet:HTTPGetAction tcpSocket:TCPSocketAction grpc:GRPCAction initialDelaySeconds:int32
        Probe timeoutSeconds:int32 periodSeconds:int32 successThreshold:int32 failureThreshold:int32
        Probe terminationGracePeriodSeconds:int
        Lifecycle postStart:LifecycleHandler preStop:LifecycleHandler stopSignal:str
        LifecycleHandler exec:ExecAction httpGet:HTTPGetAction tcpSocket:TCPSocketAction sleep:any
        ExecAction command:[str]
        HTTPGetAction path:str port:ios! host:str scheme:str httpHeaders:[HTTPHeader]
        HTTPHeader name:str! value:str!
        TCPSocketAction port:ios! host:str
        GRPCAction port:int32! service:str
        SecurityContext capabilities:Capabilities privileged:bool seLinuxOptions:any windowsOptions:any runAsUser:int
        SecurityContext runAsGroup:int runAsNonRoot:bool readOnlyRootFilesystem:bool allowPrivilegeEscalation:bool
        SecurityContext procMount:str seccompProfile:any appArmorProfile:any
        Capabilities add:[str] drop:[str]
        Volume name:str! hostPath:HostPathVolume emptyDir:EmptyDirVolume secret:SecretVolume configMap:ConfigMapVolume
        Volume projected:ProjectedVolume downwardAPI:DownwardAPIVolume persistentVolumeClaim:any nfs:any csi:any
        Volume ephemeral:any image:any
        HostPathVolume path:str! type:str
        EmptyDirVolume medium:str sizeLimit:quantity
        SecretVolume secretName:str items:[KeyToPath] defaultMode:int32 optional:bool
        ConfigMapVolume name:str items:[KeyToPath] defaultMode:int32 optional:bool
        KeyToPath key:str! path:str! mode:int32
        DownwardAPIVolume items:[DownwardAPIFile] defaultMode:int32
        DownwardAPIFile path:str! fieldRef:FieldRef resourceFieldRef:ResourceFieldRef mode:int32
        ProjectedVolume sources:[ProjectedSource] defaultMode:int32
        ProjectedSource secret:ConfigMapVolume downwardAPI:DownwardAPIVolume configMap:ConfigMapVolume
        ProjectedSource serviceAccountToken:TokenProjection clusterTrustBundle:any
        TokenProjection audience:str expirationSeconds:int path:str!
        PodStatus phase:str conditions:[Condition]@type message:str reason:str nominatedNodeName:str hostIP:str
        PodStatus hostIPs:[any] podIP:str podIPs:[PodIP]@ip startTime:time initContainerStatuses:[ContainerStatus]
        PodStatus containerStatuses:[ContainerStatus] qosClass:str ephemeralContainerStatuses:[any] resize:str
        PodStatus resourceClaimStatuses:[any] observedGeneration:int
        PodIP ip:str
        ContainerStatus name:str! state:any lastState:any ready:bool restartCount:int32 image:str imageID:str
        ContainerStatus containerID:str started:bool allocatedResources:any resources:any volumeMounts:[any] user:any

        Service apiVersion:str kind:str metadata:ObjectMeta spec:ServiceSpec status:any
        ServiceSpec ports:[ServicePort]@port,protocol selector:map clusterIP:str clusterIPs:[str] type:str
        ServiceSpec externalIPs:[str] sessionAffinity:str loadBalancerIP:str loadBalancerSourceRanges:[str]
        ServiceSpec externalName:str externalTrafficPolicy:str healthCheckNodePort:int32 publishNotReadyAddresses:bool
        ServiceSpec sessionAffinityConfig:any ipFamilies:[str] ipFamilyPolicy:str allocateLoadBalancerNodePorts:bool
        ServiceSpec loadBalancerClass:str internalTrafficPolicy:str trafficDistribution:str
        ServicePort name:str protocol:str appProtocol:str port:int32! targetPort:ios nodePort:int32

        Endpoints apiVersion:str kind:str metadata:ObjectMeta subsets:[EndpointSubset]
        EndpointSubset addresses:[EndpointAddress] notReadyAddresses:[EndpointAddress] ports:[EndpointPort]
        EndpointAddress ip:str! hostname:str nodeName:str targetRef:ObjectReference
        EndpointPort name:str port:int32! protocol:str appProtocol:str
        EndpointSlice apiVersion:str kind:str metadata:ObjectMeta addressType:str! endpoints:[SliceEndpoint]!
        EndpointSlice ports:[SlicePort]
        SliceEndpoint addresses:[str]! conditions:SliceConditions hostname:str targetRef:ObjectReference
        SliceEndpoint deprecatedTopology:map nodeName:str zone:str hints:any
        SliceConditions ready:bool serving:bool terminating:bool
        SlicePort name:str protocol:str port:int32 appProtocol:str

        NetworkPolicy apiVersion:str kind:str metadata:ObjectMeta spec:NetworkPolicySpec
        NetworkPolicySpec podSelector:LabelSelector policyTypes:[str] ingress:[PolicyIngress] egress:[PolicyEgress]
        PolicyIngress ports:[PolicyPort] from:[PolicyPeer]
        PolicyEgress ports:[PolicyPort] to:[PolicyPeer]
        PolicyPort protocol:str port:ios endPort:int32
        PolicyPeer podSelector:LabelSelector namespaceSelector:LabelSelector ipBlock:PolicyBlock
        PolicyBlock cidr:str! except:[str]

        Node apiVersion:str kind:str metadata:ObjectMeta spec:any status:any
        Event apiVersion:str kind:str metadata:ObjectMeta involvedObject:ObjectReference reason:str message:str
        Event source:EventSource firstTimestamp:time lastTimestamp:time count:int32 type:str eventTime:time
        Event series:any action:str related:ObjectReference reportingComponent:str reportingInstance:str
        EventSource component:str host:str
        EventsEvent apiVersion:str kind:str metadata:ObjectMeta eventTime:time series:any reportingController:str
        EventsEvent reportingInstance:str action:str reason:str regarding:ObjectReference related:ObjectReference
        EventsEvent note:str type:str deprecatedSource:EventSource deprecatedFirstTimestamp:time
        EventsEvent deprecatedLastTimestamp:time deprecatedCount:int32

        Deployment apiVersion:str kind:str metadata:ObjectMeta spec:DeploymentSpec! status:DeploymentStatus
        DeploymentSpec replicas:int32 selector:LabelSelector! template:PodTemplateSpec! strategy:DeploymentStrategy
        DeploymentSpec minReadySeconds:int32 revisionHistoryLimit:int32 paused:bool progressDeadlineSeconds:int32
        DeploymentStrategy type:str rollingUpdate:RollingUpdateDeployment
        RollingUpdateDeployment maxUnavailable:ios maxSurge:ios
        DeploymentStatus observedGeneration:int replicas:int32 updatedReplicas:int32 readyReplicas:int32
        DeploymentStatus availableReplicas:int32 unavailableReplicas:int32 terminatingReplicas:int32
        DeploymentStatus conditions:[Condition]@type collisionCount:int32
        ReplicaSet apiVersion:str kind:str metadata:ObjectMeta spec:ReplicaSetSpec status:ReplicaSetStatus
        ReplicaSetSpec replicas:int32 minReadySeconds:int32 selector:LabelSelector! template:PodTemplateSpec
        ReplicaSetStatus replicas:int32 fullyLabeledReplicas:int32 readyReplicas:int32 availableReplicas:int32
        ReplicaSetStatus terminatingReplicas:int32 observedGeneration:int conditions:[Condition]@type

        MutatingWebhookConfiguration apiVersion:str kind:str metadata:ObjectMeta webhooks:[Webhook]@name
        ValidatingWebhookConfiguration apiVersion:str kind:str metadata:ObjectMeta webhooks:[Webhook]@name
        Webhook name:str! clientConfig:WebhookClient! rules:[WebhookRule] failurePolicy:str matchPolicy:str
        Webhook namespaceSelector:LabelSelector objectSelector:LabelSelector sideEffects:str timeoutSeconds:int32
        Webhook admissionReviewVersions:[str] reinvocationPolicy:str matchConditions:[any]
        WebhookClient url:str service:WebhookService caBundle:str
        WebhookService namespace:str! name:str! path:str port:int32
        WebhookRule operations:[str] apiGroups:[str] apiVersions:[str] resources:[str] scope:str

        Lease apiVersion:str kind:str metadata:ObjectMeta spec:LeaseSpec
        LeaseSpec holderIdentity:str leaseDurationSeconds:int32 acquireTime:str renewTime:str leaseTransitions:int32
        LeaseSpec strategy:str preferredHolder:str

        Role apiVersion:str kind:str metadata:ObjectMeta rules:[PolicyRule]
        ClusterRole apiVersion:str kind:str metadata:ObjectMeta rules:[PolicyRule] aggregationRule:any
        PolicyRule verbs:[str]! apiGroups:[str] resources:[str] resourceNames:[str] nonResourceURLs:[str]
        RoleBinding apiVersion:str kind:str metadata:ObjectMeta subjects:[Subject] roleRef:RoleRef!
        ClusterRoleBinding apiVersion:str kind:str metadata:ObjectMeta subjects:[Subject] roleRef:RoleRef!
        Subject kind:str! apiGroup:str name:str! namespace:str
        RoleRef apiGroup:str kind:str! name:str!

        CustomResourceDefinition apiVersion:str kind:str metadata:ObjectMeta spec:CRDSpec! status:any
        CRDSpec group:str! names:CRDNames! scope:str! versions:[CRDVersion]! conversion:any preserveUnknownFields:bool
        CRDNames plural:str! singular:str shortNames:[str] kind:str! listKind:str categories:[str]
        CRDVersion name:str! served:bool! storage:bool! deprecated:bool deprecationWarning:str schema:any
        CRDVersion subresources:any additionalPrinterColumns:[CRDColumn] selectableFields:[any]
        CRDColumn name:str! type:str! format:str description:str priority:int32 jsonPath:str!
        """
}
