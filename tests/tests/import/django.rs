//! django-cors-headers.

use corsward_import::Source;
use corsward_test_harness::envoy_fixture::EnvoyFixture;
use xtask::tools;

use crate::application::Application;
use crate::side_by_side::{FEWEST, compare, import};

#[test]
fn the_report_on_settings_of_django_names_what_a_real_django_does_otherwise() {
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    let mut requests = 0;
    for (name, settings) in [
        ("settings.py", include_str!("../../../cli/tests/import/settings.py")),
        ("public.py", "CORS_ALLOW_ALL_ORIGINS = True\nCORS_EXPOSE_HEADERS = ['x-id']\n"),
    ] {
        let command = tools::django("cors.py").unwrap();
        let django = Application::with("Django", command, settings);
        requests +=
            compare(&import(Source::Django, name, settings), &mut fixture, |_, exchange| {
                django.answer(exchange)
            });
    }
    assert!(requests >= FEWEST, "{requests}");
}
