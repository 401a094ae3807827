//! Starlette, whose middleware `FastAPI` has, too.

use corsward_import::Source;
use corsward_test_harness::envoy_fixture::EnvoyFixture;
use xtask::tools;

use crate::application::Application;
use crate::side_by_side::{FEWEST, compare, import};

const LISTED: &str = r#"
from starlette.middleware.cors import CORSMiddleware

app.add_middleware(
    CORSMiddleware,
    allow_origins=["https://app.example", "https://admin.example/"],
    allow_origin_regex=r"https://[a-z0-9-]+\.preview\.example",
    allow_credentials=True,
    allow_methods=["GET", "PUT"],
    allow_headers=["x-a"],
    expose_headers=["x-id"],
)
"#;

const ANY: &str = r#"
from starlette.middleware.cors import CORSMiddleware

app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
"#;

#[test]
fn the_report_on_middleware_of_starlette_names_what_a_real_starlette_does_otherwise() {
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    let mut requests = 0;
    for settings in [LISTED, ANY] {
        let application = Application::with("Starlette", tools::starlette().unwrap(), settings);
        requests +=
            compare(&import(Source::Starlette, "app.py", settings), &mut fixture, |_, exchange| {
                application.answer(exchange)
            });
    }
    assert!(requests >= FEWEST, "{requests}");
}
