import Foundation
import LocalPlatform
import Testing

@Suite struct ImageCatalogueTests {
    private func catalogue(_ text: String) throws -> ImageCatalogue {
        var catalogue = ImageCatalogue()
        try catalogue.add(
            text: text,
            file: "/cat/images.yaml",
            base: URL(fileURLWithPath: "/cat"),
            variables: ["BIN": "/opt/bin"]
        )
        return catalogue
    }

    @Test(
        "An image is found by its name with any tag, digest or registry",
        arguments: [
            "a/web", "a/web:1", "docker.io/a/web:1", "localhost:5000/a/web", "a/web@sha256:00", "a/web:2@sha256:0",
        ]
    )
    func names(_ reference: String) throws {
        let catalogue = try self.catalogue("images: [{name: a/web, command: [x]}]")

        #expect(catalogue.image(reference)?.command == ["x"])
    }

    @Test("A name with a tag is found by just this tag, and before the name without one")
    func tags() throws {
        let catalogue = try self.catalogue("images: [{name: web, command: [any]}, {name: 'web:2', command: [two]}]")

        #expect(catalogue.image("web:2")?.command == ["two"])
        #expect(catalogue.image("web:3")?.command == ["any"])
        #expect(catalogue.image("other") == nil)
    }

    @Test("Paths are relative to the file, and variables are put in")
    func mounts() throws {
        let catalogue = try self.catalogue(
            "images: [{name: web, mounts: [{from: src, to: /app}, {from: '${BIN}/p', to: /bin/p}]}]"
        )

        #expect(catalogue.image("web")?.mounts.map(\.source) == ["/cat/src", "/opt/bin/p"])
    }

    @Test(
        "A mistake is named with its file and image",
        arguments: [
            ("{}", "expected a list `images`"), ("images: [{command: [x]}]", "images[0].name is missing"),
            ("images: [{name: web, comand: [x]}]", "unknown field `comand`"),
            ("images: [{name: web, command: x}]", "`command` must be a list of texts"),
            ("images: [{name: web, command: [1]}]", "quote numbers"),
            ("images: [{name: web, mounts: [{from: a, to: b}]}]", "absolute `to`"),
        ]
    )
    func mistakes(_ text: String, _ expected: String) {
        let error = #expect(throws: PlatformError.self) { try self.catalogue(text) }

        #expect(error?.message.hasPrefix("/cat/images.yaml") == true)
        #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
    }

    @Test("What is missing is said with the catalogue, what there is, and the cure")
    func missing() throws {
        let text = try self.catalogue("images: [{name: web}]").missing("shop:1")

        #expect(text.contains("\"shop:1\""))
        #expect(text.contains("/cat/images.yaml"))
        #expect(text.contains("lateen up --images FILE"))
        #expect(text.hasSuffix("web"))
    }
}
