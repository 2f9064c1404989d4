// swift-tools-version: 6.0
// Keepline for Swift: the facade of Sources/Keepline over the module that is generated from the core into target/.
import PackageDescription

let package = Package(
    name: "Keepline",
    platforms: [.macOS(.v13), .iOS(.v16), .tvOS(.v16), .watchOS(.v9)],
    products: [.library(name: "Keepline", targets: ["Keepline"])],
    targets: [
        // The C header of the core, and how to link it. Generated: tools/test_swift.sh.
        .target(name: "KeeplineBridgeFFI", path: "target/generated/KeeplineBridgeFFI"),
        // In the mode of Swift 5: the compiler of Swift 6.0 does not survive this code in its own.
        .target(
            name: "KeeplineBridge", dependencies: ["KeeplineBridgeFFI"], path: "target/generated/KeeplineBridge",
            swiftSettings: [.swiftLanguageMode(.v5)]),
        .target(name: "Keepline", dependencies: ["KeeplineBridge"], swiftSettings: [.swiftLanguageMode(.v6)]),
        .testTarget(
            name: "KeeplineTests", dependencies: ["Keepline", "KeeplineBridge"],
            swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
