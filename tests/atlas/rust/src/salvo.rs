//! `Cors` of salvo.

use std::time::Duration;

use salvo::conn::TcpListener;
use salvo::cors::{Any, Cors};
use salvo::http::{HeaderName, HeaderValue, Method, StatusError};
use salvo::{Listener, Response, Router, Server, Service, handler};

use crate::{BODY, EXPOSED, HEADERS, MAX_AGE, address, origin, ran};

pub async fn serve() {
    let cors = Cors::new()
        .allow_methods([Method::GET, Method::PUT])
        .allow_headers(HEADERS.map(HeaderName::from_static).to_vec())
        .expose_headers([HeaderName::from_static(EXPOSED)].to_vec())
        .allow_credentials(true)
        .max_age(Duration::from_secs(MAX_AGE.into()));
    let cors = match origin() {
        None => cors.allow_origin(Any),
        // A list: one text is sent to every origin.
        Some(origin) => cors.allow_origin(vec![origin]),
    };
    let router = Router::new()
        .push(Router::with_path("ok").get(ok).put(ok))
        .push(Router::with_path("boom").get(boom))
        .push(Router::with_path("acao").get(own));
    // Before it listens: settings that it refuses keep it from starting.
    let service = Service::new(router).hoop(cors.into_handler());
    let acceptor = TcpListener::new(address()).bind().await;
    Server::new(acceptor).serve(service).await;
}

#[handler]
async fn ok(response: &mut Response) {
    ran();
    response.headers_mut().append("vary", HeaderValue::from_static("Accept-Encoding"));
    response.headers_mut().append("x-id", HeaderValue::from_static("1"));
    response.render(BODY);
}

#[handler]
async fn boom() -> Result<(), StatusError> {
    ran();
    Err(StatusError::internal_server_error())
}

#[handler]
async fn own(response: &mut Response) {
    ran();
    response.headers_mut().insert("access-control-allow-origin", HeaderValue::from_static("*"));
    response.render(BODY);
}
