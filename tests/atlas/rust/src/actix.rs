//! actix-cors.

use actix_cors::Cors;
use actix_web::error::ErrorInternalServerError;
use actix_web::{App, Error, HttpResponse, HttpServer, web};

use crate::{BODY, EXPOSED, HEADERS, MAX_AGE, address, origin, ran};

pub fn serve() {
    let server = HttpServer::new(|| {
        App::new()
            .wrap(cors())
            .route("/ok", web::get().to(ok))
            .route("/ok", web::put().to(ok))
            .route("/boom", web::get().to(boom))
            .route("/acao", web::get().to(own))
    });
    let server = server.workers(1).bind(address()).expect("a free port");
    actix_web::rt::System::new().block_on(server.run()).expect("a server");
}

fn cors() -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "PUT"])
        .allowed_headers(HEADERS)
        .expose_headers([EXPOSED])
        .supports_credentials()
        .max_age(usize::from(MAX_AGE));
    match origin() {
        None => cors.allow_any_origin(),
        Some(origin) => cors.allowed_origin(origin),
    }
}

async fn ok() -> HttpResponse {
    ran();
    HttpResponse::Ok()
        .append_header(("vary", "Accept-Encoding"))
        .append_header(("x-id", "1"))
        .body(BODY)
}

async fn boom() -> Result<HttpResponse, Error> {
    ran();
    Err(ErrorInternalServerError("boom"))
}

async fn own() -> HttpResponse {
    ran();
    HttpResponse::Ok().insert_header(("access-control-allow-origin", "*")).body(BODY)
}
