import Foundation
import KubernetesAPI

/// One column of `kubectl get`.
struct TableColumn: Sendable {
    var name: String
    var type = "string"
    var format = ""
    /// Columns above 0 are shown by `-o wide` only.
    var priority = 0
    var description = ""
    var cell: @Sendable (JSONValue, CellContext) -> JSONValue

    init(
        _ name: String,
        wide: Bool = false,
        type: String = "string",
        _ cell: @escaping @Sendable (JSONValue, CellContext) -> JSONValue
    ) {
        self.name = name
        self.type = type
        // kubectl puts the kind before the column of this format when it shows several kinds at once.
        self.format = name == "Name" ? "name" : ""
        self.priority = wide ? 1 : 0
        self.cell = cell
    }
}

/// What cells need beside the object.
struct CellContext: Sendable {
    /// Seconds since 1970.
    var now: Int64

    /// How long ago a moment was, as kubectl writes it.
    func age(_ moment: JSONValue?) -> JSONValue {
        guard let text = moment?.string, let seconds = KubernetesTime.seconds(text) else { return "<unknown>" }
        return .string(HumanDuration.text(seconds: self.now - seconds))
    }
}

/// Rows and columns of a kind, made by the server so that every client shows the same.
struct TablePrinter: Sendable {
    let info: ResourceInfo
    private let columns: [TableColumn]

    init(info: ResourceInfo) {
        self.info = info
        self.columns = info.isCustom ? CustomColumns.columns(info) : BuiltinColumns.columns(info)
    }

    func table(
        _ objects: [JSONValue],
        metadata: JSONValue,
        including: Representation.IncludedObject,
        withColumns: Bool
    ) -> JSONValue {
        let context = CellContext(now: Int64(Date().timeIntervalSince1970))
        let definitions: [JSONValue] = self.columns.map { column in
            [
                "name": .string(column.name), "type": .string(column.type), "format": .string(column.format),
                "description": .string(column.description), "priority": JSONValue(column.priority),
            ]
        }
        let rows: [JSONValue] = objects.map { object in
            var row: [String: JSONValue] = [
                "cells": .array(self.columns.map { $0.cell(object, context) })
            ]
            switch including {
            case .none: ()
            case .metadata: row["object"] = Representation.partial(object)
            case .object: row["object"] = object
            }
            return .object(row)
        }
        return [
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": .array(withColumns ? definitions : []), "rows": .array(rows),
        ]
    }
}

/// Short spans of time: `7s`, `5m12s`, `3h4m`, `2d`.
package enum HumanDuration {
    package static func text(seconds: Int64) -> String {
        if seconds < -1 { return "<invalid>" }
        if seconds < 0 { return "0s" }
        let minutes = seconds / 60
        let hours = seconds / 3600
        let days = hours / 24
        switch seconds {
        case ..<120: return "\(seconds)s"
        case ..<600: return seconds % 60 == 0 ? "\(minutes)m" : "\(minutes)m\(seconds % 60)s"
        case ..<10_800: return "\(minutes)m"
        case ..<28_800: return minutes % 60 == 0 ? "\(hours)h" : "\(hours)h\(minutes % 60)m"
        case ..<172_800: return "\(hours)h"
        case ..<691_200: return hours % 24 == 0 ? "\(days)d" : "\(days)d\(hours % 24)h"
        case ..<63_072_000: return "\(days)d"
        case ..<252_288_000: return days % 365 == 0 ? "\(days / 365)y" : "\(days / 365)y\(days % 365)d"
        default: return "\(days / 365)y"
        }
    }
}
