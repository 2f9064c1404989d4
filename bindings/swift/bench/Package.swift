// swift-tools-version: 6.0
// What the library costs, beside what one would write without it: tools/bench_swift.sh builds and runs it. Not published.
import PackageDescription

let package = Package(
    name: "KeeplineBench",
    platforms: [.macOS(.v13)],
    dependencies: [.package(path: "..")],
    targets: [
        .executableTarget(
            name: "KeeplineBench", dependencies: [.product(name: "Keepline", package: "swift")],
            swiftSettings: [.swiftLanguageMode(.v6)])
    ]
)
