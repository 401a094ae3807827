//! One finding of every kind about an origin regex.

use corsward_policy::Finding;
use corsward_policy::finding::{Misfit, OriginFault, RegexReason, Replacement};

pub(super) fn all() -> Vec<Finding> {
    use OriginFault as F;
    use RegexReason as R;
    let field = "spec.cors.allowOriginRegexes[0]";
    let misfit = |fault, part: &str, instead: &str| {
        Box::new(Misfit {
            faults: vec![fault],
            part: Some(part.to_owned()),
            instead: Some(Replacement::Regex(instead.to_owned())),
        })
    };
    let dotted = || "https://app.example".to_owned();
    let escaped = || Some(r"https://app\.example".to_owned());
    let any_port = r"https://app\.example(:8443|:443)";
    vec![
        Finding::new(field, R::Empty),
        Finding::new(field, R::TooLong("(a{1000}){1000}".into())),
        Finding::new("spec.cors.allowOriginRegexes", R::TogetherTooLarge),
        Finding::new(
            field,
            R::Syntax {
                value: "*.app.example".into(),
                message: "uncounted repetition operator must be applied to a sub-expression".into(),
                instead: Some(Replacement::Pattern("https://*.app.example".into())),
            },
        ),
        Finding::new(field, R::Everything("https?://.*".into())),
        Finding::new(
            field,
            R::NeverMatches {
                value: r"https://App\.example".into(),
                misfit: misfit(F::HostCase, "App.example", r"https://app\.example"),
            },
        ),
        Finding::new(
            field,
            R::BranchNeverMatches {
                value: any_port.into(),
                branch: ":443".into(),
                misfit: misfit(F::DefaultPort, ":443", r"https://app\.example(:8443|)"),
                beside: None,
            },
        ),
        Finding::new(
            field,
            R::Glob {
                value: "https://*.app.example".into(),
                repeated: "/*".into(),
                pattern: Some("https://*.app.example".into()),
            },
        ),
        Finding::new(
            field,
            R::WordsInClass {
                value: r"https://[app|www]\.app\.example".into(),
                class: "[app|www]".into(),
                instead: Some(Replacement::Regex(r"https://(app|www)\.app\.example".into())),
            },
        ),
        Finding::new(
            field,
            R::OpenDot { value: dotted(), instead: escaped(), pattern: Some(dotted()) },
        ),
        Finding::new(
            field,
            R::OpenDotWithCredentials {
                value: dotted(),
                instead: escaped(),
                pattern: Some(dotted()),
            },
        ),
        Finding::new(field, R::AnySchemeWithCredentials(r".*://app\.example".into())),
        Finding::new(
            field,
            R::UnjudgedWithCredentials { value: r"(.*a){9}.*\.example".into(), is_reached: true },
        ),
    ]
}
