/// Words that proxies of Lateen put into the metadata of their node, beside Istio's.
package enum NodeMetadata {
    /// In which form a node takes the name table; without it, as one resource.
    package static let nameTable = "LATEEN_NAME_TABLE"
    /// In shards: each is a resource of its own with a name (`envoy.service.discovery.v3.Resource`). The first response
    /// on a stream holds all of them, each later one those that changed.
    package static let shards = "shards"
    /// `true`: the node knows Istio's HTTP filter `mixer`, which stock Envoy does not.
    package static let mixer = "LATEEN_MIXER"
    /// `true`: the node holds requests for revisions, and asks pods that are starting whether they are there.
    package static let holding = "LATEEN_HOLDING"
}
