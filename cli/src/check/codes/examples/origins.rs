//! Findings about origins.

use std::net::Ipv4Addr;

use corsward_policy::Finding;
use corsward_policy::finding::{Instead, OriginReason};
use corsward_policy::pattern::InvalidOrigin;
use corsward_policy::pattern::cidr::Cidr;

pub(super) fn invalid() -> Vec<Finding> {
    use InvalidOrigin as W;
    let instead = Some("https://app.example");
    let block = Cidr::around(Ipv4Addr::new(172, 16, 5, 0).into(), 12);
    [
        ("", W::Empty, None),
        (" https://app.example", W::Space, instead),
        ("app.example", W::NoScheme, instead),
        ("*://app.example", W::Scheme, instead),
        ("https://me@app.example", W::Userinfo, instead),
        ("https://app.example/", W::TrailingSlash, instead),
        ("https://app.example/login", W::Path, instead),
        ("https://app.example?a=b", W::Query, instead),
        ("https://app.example#top", W::Fragment, instead),
        ("https://", W::NoHost, None),
        ("https://aaaaaaaa.example", W::HostTooLong, None),
        (
            "https://b\u{fc}cher.example",
            W::NonAscii("b\u{fc}cher.example".into()),
            Some("https://xn--bcher-kva.example"),
        ),
        ("https://app.example.", W::TrailingDot, instead),
        ("https://app..example", W::EmptyLabel, None),
        ("https://a,b.example", W::HostCharacter(','), None),
        ("http://256.0.0.1", W::Ipv4, None),
        ("http://[::zz]", W::Ipv6, None),
        ("https://*.*.example", W::Star, None),
        ("http://192.168.*", W::Ipv4Star, None),
        ("https://app.example:0", W::Port, None),
        ("http://10.0.0.0/33", W::CidrPrefix, None),
        ("http://192.168.*.*/16", W::CidrStar, Some("http://192.168.0.0/16")),
        ("https://app.example/24:8080", W::CidrName, None),
    ]
    .into_iter()
    .chain(block.map(|block| {
        ("http://172.16.5.0/12", W::CidrHostBits(block), Some("http://172.16.0.0/12"))
    }))
    .map(|(value, why, instead)| {
        let (value, instead) = (value.to_owned(), Box::new(written(instead)));
        Finding::new("spec.cors.allowOrigins[0]", OriginReason::Invalid { value, why, instead })
    })
    .collect()
}

fn written(entry: Option<&str>) -> Instead {
    let entries = entry.map(str::to_owned).into_iter().collect();
    Instead { entries, ..Instead::default() }
}

pub(super) fn all() -> Vec<Finding> {
    use OriginReason as R;
    let origin = "spec.cors.allowOrigins[0]";
    let trusted = "spec.trustedOrigins[0]";
    vec![
        Finding::new(origin, R::AnyBesideOthers),
        Finding::new(trusted, R::AnyTrusted("https://*".into())),
        Finding::new(trusted, R::AnyAppTrusted("moz-extension://*".into())),
        Finding::new(trusted, R::NullTrusted),
        Finding::new("spec.cors.allowOrigins", R::Nobody),
        Finding::new("spec.rules[0].cors.allowOrigins", R::NobodyHere),
        Finding::new(origin, R::Null),
        Finding::new(origin, R::File("file://".into())),
        Finding::new(
            origin,
            R::NeverSent {
                value: "wss://app.example".into(),
                scheme: "wss".into(),
                instead: Box::new(written(Some("https://app.example"))),
            },
        ),
        Finding::new(
            origin,
            R::Misspelled {
                value: "htps://app.example".into(),
                instead: Box::new(written(Some("https://app.example"))),
            },
        ),
        Finding::new(
            origin,
            R::NoAddress {
                value: "http://192.168.1.x".into(),
                instead: Box::new(written(Some("http://192.168.1.*"))),
            },
        ),
        Finding::new(origin, R::NoExtension("chrome-extension://*".into())),
        Finding::new(
            origin,
            R::OneInstallation("moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc".into()),
        ),
        Finding::new(
            origin,
            R::Covered {
                value: "https://a.app.example".into(),
                by: "https://*.app.example".into(),
            },
        ),
        Finding::new(
            origin,
            R::LocalhostAlone {
                value: "http://localhost:3000".into(),
                missing: "http://127.0.0.1:3000".into(),
            },
        ),
        Finding::new(origin, R::Development("http://localhost:3000".into())),
    ]
}
