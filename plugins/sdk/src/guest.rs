//! The edge: the generated bindings, and the conversions between them and this crate's types.
//!
//! Nothing here is public API. The bindings compile everywhere, so that a wrong conversion shows on any machine, but
//! only a wasm32 build calls an import or exports a symbol: elsewhere neither exists.

/// What `wit-bindgen` makes of the contract.
#[allow(missing_docs, clippy::all, clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/v0.1.0",
        world: "connector-world",
        pub_export_macro: true,
        export_macro_name: "export_component",
        default_bindings_module: "syncline_sdk::guest::bindings",
    });
}

mod convert;
#[cfg(target_arch = "wasm32")]
mod host;

#[cfg(target_arch = "wasm32")]
pub use host::Exported;

/// Exports a connector as this crate's component. The type implements [`Connector`](crate::Connector) and
/// [`Default`]. Expands to nothing off wasm32.
#[macro_export]
macro_rules! export_connector {
    ($connector:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Component = $crate::guest::Exported<$connector>;
    $crate::guest::bindings::export_component!(Component with_types_in $crate::guest::bindings);
        };
    };
}
