/// Finds what a configuration file says that is not supported, field by field, and takes it out, so that the rest can
/// still be read and looked at.
struct TreeAudit {
    private(set) var findings = Findings()

    /// The tree without what was found.
    mutating func clean(_ tree: ConfigurationTree, as message: String, at path: String) -> ConfigurationTree {
        guard let row = SupportedFields.all[message] else { return tree }
        guard case .map(let entries) = tree else {
            if case .null = tree { return .map([]) }
            self.findings.add(path, "a mapping is needed; supported: \(row.supported)")
            return .map([])
        }
        var kept: [(key: String, value: ConfigurationTree)] = []
        for (key, value) in entries {
            if key == "@type" {
                kept.append((key, value))
                continue
            }
            let place = joined(path, key)
            guard let field = row.field(named: snakeCase(key)), field.use != .refused else {
                self.findings.add(place, "\(key) is not supported; supported: \(row.supported)")
                continue
            }
            if field.use == .ignored { continue }
            if let cleaned = self.clean(value, field, of: message, named: tree["name"]?.string ?? "", at: place) {
                kept.append((key, cleaned))
            }
        }
        return .map(kept)
    }

    /// `nil`: to be left out.
    private mutating func clean(
        _ value: ConfigurationTree,
        _ field: SupportedFields.Field,
        of message: String,
        named name: String,
        at path: String
    ) -> ConfigurationTree? {
        guard let inner = field.message else { return value }
        if inner != "Any" {
            guard case .list(let elements) = value else { return self.clean(value, as: inner, at: path) }
            return .list(elements.enumerated().map { self.clean($1, as: inner, at: "\(path)[\($0)]") })
        }
        guard let point = ExtensionPoint(message: message) else { return value }
        if point == .upstreamOptions {
            guard case .map(let entries) = value else { return value }
            return .map(
                entries.compactMap { entry in
                    self.extensionTree(entry.value, point, named: entry.key, owner: joined(path, entry.key), at: path)
                        .map { (key: entry.key, value: $0) }
                }
            )
        }
        // The filter as a whole is at fault, not its field `typed_config`.
        let owner = String(path.prefix(path.count - field.name.count - 1))
        return self.extensionTree(value, point, named: name, owner: owner, at: path)
    }

    private mutating func extensionTree(
        _ tree: ConfigurationTree,
        _ point: ExtensionPoint,
        named name: String,
        owner: String,
        at path: String
    ) -> ConfigurationTree? {
        let typeURL = tree["@type"]?.string ?? ""
        guard point.typeURLs.contains(typeURL) else {
            self.findings.add(owner, point.refusal(name: name, typeURL: typeURL))
            return nil
        }
        return self.clean(tree, as: String(typeURL.dropFirst("type.googleapis.com/".count)), at: path)
    }
}
