//! The applications of this folder: the first argument names the crate, and the environment the port and the origin.
//!
//! Every application has `/ok` (GET and PUT, with a `Vary` of its own), `/boom` (an error) and `/acao` (an `Access-Control-Allow-Origin` of
//! its own). A handler that runs prints a line.

mod actix;
mod poem;
mod salvo;
mod tower_http;

use std::env;

const BODY: &str = r#"{"ok":true}"#;
const HEADERS: [&str; 2] = ["x-a", "content-type"];
const EXPOSED: &str = "x-id";
const MAX_AGE: u16 = 600;

/// The configured origin, or none for any.
fn origin() -> Option<&'static str> {
    let origin = env::var("ORIGIN").expect("ORIGIN");
    (origin != "*").then(|| &*origin.leak())
}

fn address() -> (&'static str, u16) {
    ("127.0.0.1", env::var("PORT").expect("PORT").parse().expect("a port"))
}

fn ran() {
    println!("ran");
}

fn main() {
    let name = env::args().nth(1);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match name.as_deref() {
        Some("actix") => actix::serve(),
        Some("poem") => runtime.block_on(poem::serve()),
        Some("salvo") => runtime.block_on(salvo::serve()),
        Some("tower-http") => runtime.block_on(tower_http::serve()),
        name => panic!("no application {name:?}"),
    }
}
