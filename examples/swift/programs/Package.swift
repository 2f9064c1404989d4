// swift-tools-version: 6.0
// Programs to start from. The core is generated and built by tools/test_swift.sh, which also runs them. Not in the folder
// above: two packages of one name, which is that of the folder, cannot depend on each other.
import PackageDescription

let keepline: [Target.Dependency] = [.product(name: "Keepline", package: "swift")]

let package = Package(
    name: "KeeplineExamples",
    platforms: [.macOS(.v13)],
    dependencies: [.package(path: "../../../bindings/swift")],
    targets: [
        .executableTarget(name: "SurviveARestart", dependencies: keepline),
        .executableTarget(name: "ModbusPoller", dependencies: keepline),
        .executableTarget(name: "LineClient", dependencies: keepline),
    ]
)
