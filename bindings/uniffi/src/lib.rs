//! The library that Kotlin and Swift load: the bridge with its `uniffi` feature, linked for other languages.
//!
//! All of it is in `keepline_bridge::foreign`. This crate only exists because a library for other languages takes long to
//! link, and nobody who builds or tests the bridge should wait for it. How the code of the other languages is generated
//! from it: `bindings/uniffi/README.md`.

keepline_bridge::uniffi_reexport_scaffolding!();
