//! The middleware `cors` of Express.

use corsward_import::Source;
use corsward_test_harness::envoy_fixture::EnvoyFixture;
use xtask::tools;

use crate::application::Application;
use crate::side_by_side::{FEWEST, compare, import};

#[test]
fn the_report_on_options_of_express_names_what_its_real_middleware_does_otherwise() {
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    let mut requests = 0;
    for settings in [
        include_str!("../../../cli/tests/import/express.json"),
        r#"{ "origin": "https://shop.example", "methods": ["GET", "PUT"], "allowedHeaders": ["x-a"] }"#,
        r#"{ "origin": "*", "credentials": true }"#,
        r#"{ "origin": true, "exposedHeaders": "x-id" }"#,
    ] {
        let application = Application::with("Express", tools::express().unwrap(), settings);
        requests += compare(
            &import(Source::Express, "cors.json", settings),
            &mut fixture,
            |_, exchange| application.answer(exchange),
        );
    }
    assert!(requests >= FEWEST, "{requests}");
}
