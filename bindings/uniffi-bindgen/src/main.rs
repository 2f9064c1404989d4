//! Generates the hidden Kotlin module: `uniffi-bindgen generate LIBRARY --language kotlin --out-dir DIRECTORY`.

fn main() {
    uniffi::uniffi_bindgen_main();
}
