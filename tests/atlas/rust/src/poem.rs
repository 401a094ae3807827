//! poem's `Cors`.

use poem::http::StatusCode;
use poem::listener::TcpListener;
use poem::middleware::Cors;
use poem::{EndpointExt, Error, Response, Route, Server, get, handler};

use crate::{BODY, EXPOSED, HEADERS, MAX_AGE, address, origin, ran};

pub async fn serve() {
    let cors = Cors::new()
        .allow_methods(["GET", "PUT"])
        .allow_headers(HEADERS)
        .expose_headers([EXPOSED])
        .allow_credentials(true)
        .max_age(MAX_AGE.into());
    // Without an origin it allows any.
    let cors = match origin() {
        None => cors,
        Some(origin) => cors.allow_origin(origin),
    };
    let routes = Route::new()
        .at("/ok", get(ok).put(ok))
        .at("/boom", get(boom))
        .at("/acao", get(own))
        .with(cors);
    Server::new(TcpListener::bind(address())).run(routes).await.expect("a server");
}

#[handler]
fn ok() -> Response {
    ran();
    Response::builder().header("vary", "Accept-Encoding").header("x-id", "1").body(BODY)
}

#[handler]
fn boom() -> Result<Response, Error> {
    ran();
    Err(Error::from_status(StatusCode::INTERNAL_SERVER_ERROR))
}

#[handler]
fn own() -> Response {
    ran();
    Response::builder().header("access-control-allow-origin", "*").body(BODY)
}
