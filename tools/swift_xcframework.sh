#!/usr/bin/env bash
# BUILT ELSEWHERE: makes what a Swift package for Apple's systems consists of. Needs macOS with Xcode; no test here runs it.
#
# In target/xcframework: Keepline.xcframework with the static library of each system and the C header, the same as a zip with its
# checksum, and the sources of a package that downloads that zip: tools/swift_xcframework.sh URL_OF_THE_ZIP.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly OUT=target/xcframework
readonly LIBRARY=libkeepline_ffi.a
# By system, and the processors that share one library on it.
readonly MACOS=(aarch64-apple-darwin x86_64-apple-darwin)
readonly DEVICE=(aarch64-apple-ios)
readonly SIMULATOR=(aarch64-apple-ios-sim x86_64-apple-ios)
# What the facade asks for: Package.swift.
export MACOSX_DEPLOYMENT_TARGET=13.0 IPHONEOS_DEPLOYMENT_TARGET=16.0

main() {
    local url=${1:-}
    [ "$(uname)" = Darwin ] || fail "an XCFramework is made on macOS with Xcode, not here"
    [ -n "$url" ] || fail "usage: tools/swift_xcframework.sh URL, where the zip will be"
    have xcodebuild || fail "xcodebuild is not installed: install Xcode"
    rm -rf "$OUT"
    mkdir -p "$OUT/headers"
    local target
    for target in "${MACOS[@]}" "${DEVICE[@]}" "${SIMULATOR[@]}"; do
        say "cargo build --target $target"
        rustup target add "$target" >/dev/null
        # The cryptography that is small, and needs no assembler of each system.
        cargo build --quiet --locked --release -p keepline-uniffi --no-default-features --features ring --target "$target"
    done
    join macos "${MACOS[@]}"
    join ios "${DEVICE[@]}"
    join ios-simulator "${SIMULATOR[@]}"
    generate
    xcodebuild -create-xcframework \
        -library "$OUT/macos/$LIBRARY" -headers "$OUT/headers" \
        -library "$OUT/ios/$LIBRARY" -headers "$OUT/headers" \
        -library "$OUT/ios-simulator/$LIBRARY" -headers "$OUT/headers" \
        -output "$OUT/Keepline.xcframework"
    ditto -c -k --keepParent "$OUT/Keepline.xcframework" "$OUT/Keepline.xcframework.zip"
    package "$url" "$(swift package compute-checksum "$OUT/Keepline.xcframework.zip")"
    say "made $OUT/Keepline.xcframework.zip, and the package for it in $OUT/package"
}

# One library for all processors of a system.
join() {
    local system=$1 target
    shift
    local parts=()
    for target in "$@"; do parts+=("target/$target/release/$LIBRARY"); done
    mkdir -p "$OUT/$system"
    lipo -create "${parts[@]}" -output "$OUT/$system/$LIBRARY"
}

# The module between, of the library that was just built; and the header that goes into the framework.
generate() {
    cargo build --quiet --locked -p keepline-uniffi-bindgen --bin uniffi-bindgen
    target/debug/uniffi-bindgen generate "target/${MACOS[0]}/release/$LIBRARY" --language swift --no-format \
        --config bindings/uniffi/uniffi.toml --out-dir "$OUT/generated"
    "$PYTHON" tools/swift_quicken.py "$OUT/generated/KeeplineBridge.swift"
    mv "$OUT/generated/KeeplineBridgeFFI.h" "$OUT/headers/"
    printf 'module KeeplineBridgeFFI {\n    header "KeeplineBridgeFFI.h"\n    export *\n}\n' >"$OUT/headers/module.modulemap"
}

# A package of its own, since Swift takes none from a folder of a repository.
package() {
    local url=$1 checksum=$2 sources=$OUT/package/Sources
    mkdir -p "$sources/KeeplineBridge"
    cp -R bindings/swift/Sources/Keepline "$sources/"
    cp "$OUT/generated/KeeplineBridge.swift" "$sources/KeeplineBridge/"
    cat >"$OUT/package/Package.swift" <<EOF
// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Keepline",
    platforms: [.macOS(.v13), .iOS(.v16)],
    products: [.library(name: "Keepline", targets: ["Keepline"])],
    targets: [
        .binaryTarget(name: "KeeplineBridgeFFI", url: "$url", checksum: "$checksum"),
        .target(
            name: "KeeplineBridge", dependencies: ["KeeplineBridgeFFI"], swiftSettings: [.swiftLanguageMode(.v5)],
            linkerSettings: [.linkedFramework("Security"), .linkedFramework("CoreFoundation")]),
        .target(name: "Keepline", dependencies: ["KeeplineBridge"], swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
EOF
}

main "$@"
