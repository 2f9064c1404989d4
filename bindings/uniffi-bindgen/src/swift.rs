//! Generates the hidden Swift module: `uniffi-bindgen-swift LIBRARY DIRECTORY --swift-sources --headers --modulemap`.

fn main() {
    uniffi::uniffi_bindgen_swift();
}
