//! Examples: one finding of every code, in the order of the manual of findings.

mod cluster;
mod origins;
mod regexes;
mod shapes;

use corsward_api::v1alpha1::LabelOperator;
use corsward_manifest::finding::SourceReason;
use corsward_operator_core::finding::{
    Excess, GuardrailReason, OriginSetReason, PlacementReason, TargetInstead,
};
use corsward_policy::Finding;
use corsward_policy::finding::{
    BehaviorReason, Danger, DangerReason, HeaderReason, HostReason, ListReason, MaxAgeReason,
    MeantPath, MethodReason, OriginReason, Place, RuleReason,
};
use corsward_policy::host_syntax::HostSyntax;
use corsward_policy::path_syntax::PathSyntax;
use corsward_policy::scope::{InvalidHost, InvalidPath};

/// Returns a finding of every code, by the hundreds of the codes, the severity and the number.
pub(super) fn examples() -> Vec<Finding> {
    let mut all = unsorted();
    all.sort_by_key(|finding| {
        let number = number(finding.code());
        (number / 100, finding.severity(), number)
    });
    all
}

/// The number in a finding's code.
pub(super) fn number(code: &str) -> usize {
    let digits = code.trim_start_matches(|char: char| !char.is_ascii_digit());
    digits.parse().unwrap_or_default()
}

fn unsorted() -> Vec<Finding> {
    let mut all = behavior();
    all.extend(lists_and_max_age());
    all.extend(origins::invalid());
    all.extend(origins::all());
    all.extend(regexes::all());
    all.extend(dangers());
    all.extend(methods());
    all.extend(headers());
    all.extend(hosts());
    all.extend(rules());
    all.extend(sources());
    all.extend(shapes::all());
    all.extend(placements());
    all.extend(cluster::targets());
    all.extend(cluster::gateways());
    all.extend(cluster::sizes());
    all.extend(cluster::traffic());
    all.extend(guardrails());
    all.extend(origin_sets());
    all
}

fn behavior() -> Vec<Finding> {
    use BehaviorReason as R;
    vec![
        Finding::new("spec", R::NothingToDo),
        Finding::new("spec.preflight.successStatus", R::SuccessStatus("404".into())),
        Finding::new("metadata.name", R::InvalidName("Shop API".into())),
        Finding::new("metadata.namespace", R::InvalidNamespace("shop.prod".into())),
        Finding::new("spec.hostnames", R::RejectWithoutHostnames),
        Finding::new("spec.disallowedRequests", R::RejectUnderAnyOrigin(Place::Here)),
        Finding::new("spec.upstreamCorsHeaders", R::KeepWithoutForward),
        Finding::new("spec.preflight.onFailure", R::ForwardWithReplace),
        Finding::new("spec.disallowedRequests", R::RejectFailsOpen),
        Finding::new("spec.trustedOrigins", R::TrustedOriginsUnused),
        Finding::new("spec.disallowedRequests", R::RejectWithoutSignIn),
        Finding::new("spec.upstreamOrigin", R::OriginIsMissed),
        Finding::new("spec.upstreamOrigin", R::NothingToKeep),
        Finding::new("spec.upstreamOrigin", R::RehearsedRemoval),
        Finding::new(
            "spec.cors.allowOrigins",
            R::AcceptedEarlier(OriginReason::AnyBesideOthers.into()),
        ),
    ]
}

fn lists_and_max_age() -> Vec<Finding> {
    let origins = "spec.cors.allowOrigins";
    let value = || "HTTPS://App.example:443".to_owned();
    let normal = || "https://app.example".to_owned();
    let first = || format!("{origins}[0]");
    vec![
        Finding::new(
            origins,
            ListReason::TooMany { list: "allowOrigins".into(), count: 20_000, max: 16_384 },
        ),
        Finding::new(
            format!("{origins}[1]"),
            ListReason::Repeated { value: normal(), first: first() },
        ),
        Finding::new(first(), ListReason::Normalized { value: value(), normal: normal() }),
        Finding::new("spec.cors.maxAge", MaxAgeReason::Negative("-1".into())),
        Finding::new("spec.cors.maxAge", MaxAgeReason::TooLarge("2147483648".into())),
        Finding::new("spec.cors.maxAge", MaxAgeReason::Absent),
        Finding::new(
            "spec.cors.maxAge",
            MaxAgeReason::Capped { written: "86401".into(), seconds: 86_401 },
        ),
    ]
}

fn dangers() -> Vec<Finding> {
    let word = "spec.cors.dangerouslyAllow[0]";
    let origin = "spec.cors.allowOrigins[0]";
    let prohibited = |danger, value: &str| {
        Finding::new(origin, DangerReason::Prohibited { danger, value: value.to_owned() })
    };
    vec![
        Finding::new(word, DangerReason::Unknown("AnyOrigin".into())),
        prohibited(Danger::AnyOriginWithCredentials, "*"),
        prohibited(Danger::AnyAppOriginWithCredentials, "moz-extension://*"),
        prohibited(Danger::InsecureOriginWithCredentials, "http://app.example"),
        prohibited(Danger::PublicSuffixSubdomains, "https://*.github.io"),
        prohibited(Danger::NullOriginWithCredentials, "null"),
        Finding::new(
            "spec.cors.allowOriginRegexes[0]",
            DangerReason::Prohibited {
                danger: Danger::UnboundedRegexWithCredentials,
                value: r"https://app\..*".to_owned(),
            },
        ),
        Finding::new(word, DangerReason::Unneeded(Danger::NullOriginWithCredentials)),
        Finding::new(origin, DangerReason::PublicSuffix("https://*.github.io".into())),
    ]
}

fn methods() -> Vec<Finding> {
    use MethodReason as R;
    let (list, entry) = ("spec.cors.allowMethods", "spec.cors.allowMethods[0]");
    vec![
        Finding::new(entry, R::Syntax { value: "GET, PUT".into(), instead: texts(["GET", "PUT"]) }),
        Finding::new(entry, R::Glob("P*".into())),
        Finding::new(entry, R::Forbidden("TRACE".into())),
        Finding::new(entry, R::Normalized("put".into())),
        Finding::new(entry, R::LowerCase("patch".into())),
        Finding::new(entry, R::Misspelled { value: "DELET".into(), meant: "DELETE".into() }),
        Finding::new(entry, R::Options),
        Finding::new(list, R::None),
        Finding::new(list, R::AnyBesideOthers { covered: texts(["PUT"]), rest: texts(["*"]) }),
    ]
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

fn headers() -> Vec<Finding> {
    use HeaderReason as R;
    let (allow, expose) = ("spec.cors.allowHeaders", "spec.cors.exposeHeaders");
    let (allow_entry, expose_entry) = (format!("{allow}[0]"), format!("{expose}[0]"));
    vec![
        Finding::new(
            &allow_entry,
            R::Syntax { value: "x-a, x-b".into(), instead: texts(["x-a", "x-b"]) },
        ),
        Finding::new(&allow_entry, R::Glob("x-amz-*".into())),
        Finding::new(&allow_entry, R::ForbiddenRequestHeader("Origin".into())),
        Finding::new(&allow_entry, R::Cookie),
        Finding::new(&allow_entry, R::CorsResponseHeader("Access-Control-Allow-Origin".into())),
        Finding::new(expose, R::ExposeAnyWithCredentials),
        Finding::new(&expose_entry, R::ForbiddenResponseHeader("Set-Cookie".into())),
        Finding::new(&allow_entry, R::SafelistedRequestHeader("Accept".into())),
        Finding::new(&expose_entry, R::SafelistedResponseHeader("Content-Type".into())),
        Finding::new(
            &allow_entry,
            R::Misspelled {
                value: "autorization".into(),
                meant: "authorization".into(),
                is_listed: false,
            },
        ),
        Finding::new(
            &expose_entry,
            R::CorsResponseHeaderExposed("Access-Control-Allow-Origin".into()),
        ),
        Finding::new(allow, R::None),
        Finding::new(
            allow,
            R::AnyBesideOthers { covered: texts(["x-a"]), rest: texts(["*", "authorization"]) },
        ),
        Finding::new(allow, R::AnyWithoutAuthorization),
        Finding::new(expose, R::SessionIdNotExposed),
        Finding::new(
            allow,
            R::TracingIncomplete {
                listed: vec!["traceparent"],
                missing: vec!["tracestate", "baggage"],
            },
        ),
    ]
}

fn hosts() -> Vec<Finding> {
    use InvalidHost as W;
    let instead = Some("api.shop.example");
    let invalid = [
        ("", W::Empty, None),
        ("https://api.shop.example", W::Scheme, instead),
        ("api.shop.example:8080", W::Port, instead),
        ("api!", W::Character('!'), None),
        ("api.shop.example.", W::TrailingDot, instead),
        ("api..example", W::EmptyLabel, None),
        ("api.*.example", W::Star, None),
        ("aaaaaaaa.example", W::TooLong, None),
    ]
    .into_iter()
    .map(|(value, why, instead)| {
        let (value, instead) = (value.to_owned(), instead.map(str::to_owned));
        HostReason::Invalid { value, why, instead }
    });
    let others = [
        HostReason::OtherSyntax {
            value: "shop/api.shop.example".into(),
            syntax: HostSyntax::Namespaced,
            instead: vec!["api.shop.example".into()],
        },
        HostReason::NoAddress("256.1.1.1".into()),
        HostReason::WordForEvery("all".into()),
    ];
    invalid.chain(others).map(|reason| Finding::new("spec.hostnames[0]", reason)).collect()
}

fn rules() -> Vec<Finding> {
    use InvalidPath as W;
    let invalid = |value: &str, why, instead: Option<&str>| {
        let value = value.to_owned();
        let instead = instead.map(meant_path).map(Box::new);
        Finding::new("spec.rules[1].path.value", RuleReason::InvalidPath { value, why, instead })
    };
    let same = RuleReason::SamePath { value: "/public/".into(), first: "spec.rules[0]".into() };
    vec![
        invalid("public", W::NotAbsolute, Some("/public")),
        invalid("/public?a=b", W::Query, Some("/public")),
        invalid("/aaaaaaaa", W::TooLong, None),
        invalid("/a//b", W::Ambiguous, Some("/a/b")),
        invalid("/a/../b", W::NotNormal("/b".into()), Some("/b")),
        other_syntax(),
        Finding::new("spec.rules[1].path", same),
        Finding::new("spec.rules[1]", RuleReason::WithoutCors),
        Finding::new("spec.rules[1].cors", RuleReason::BesideOff { has_cors: true }),
        Finding::new("spec.rules[1].mode", RuleReason::DryRun),
        Finding::new(
            "spec.rules",
            RuleReason::TooManyPlaces { hosts: 256, rules: 512, max: 65_536 },
        ),
        Finding::new("spec.rules[1]", RuleReason::Redundant { same: "spec.rules[0]".into() }),
        Finding::new("spec.cors", RuleReason::CorsShadowed { by: "spec.rules[0]".into() }),
        Finding::new("spec.rules[0]", RuleReason::LeavesAllAlone),
    ]
}

fn meant_path(path: &str) -> MeantPath {
    MeantPath { path: path.to_owned(), taken_by: None }
}

fn other_syntax() -> Finding {
    let (value, syntax) = ("/api/*".to_owned(), PathSyntax::Glob);
    let prefix = Some(Box::new(meant_path("/api")));
    let literal = Some("/api/%2A".to_owned());
    let each = Vec::new();
    let reason = RuleReason::OtherSyntax { value, syntax, exact: false, prefix, each, literal };
    Finding::new("spec.rules[1].path.value", reason)
}

fn sources() -> Vec<Finding> {
    use SourceReason as R;
    vec![
        Finding::new("policies/a.yaml", R::Unreadable("permission denied".into())),
        Finding::new(
            "policies/a.yaml",
            R::NotTaken { what: "it is UTF-16".into(), fix: "save it as UTF-8" },
        ),
        Finding::new("policies/a.yaml", R::NotYaml("line 3: a tab where spaces belong".into())),
        Finding::new("policies/a.yaml", R::AliasStar { line: 7, written: "*".into() }),
        Finding::new("metadata.name", R::MissingName),
        Finding::new("metadata.namespace", R::InNamespace),
        Finding::new(
            "metadata.name",
            R::Duplicate { policy: "shop/api".into(), file: "policies/b.yaml".into() },
        ),
        Finding::new("apiVersion", R::UnknownVersion("corsward.io/v2".into())),
        Finding::new("policies/a.yaml", R::TooLarge { len: 9_000_000, max: 4_194_304 }),
    ]
}

fn placements() -> Vec<Finding> {
    use PlacementReason as R;
    vec![
        Finding::new("spec.selector", R::TwoTargets),
        Finding::new(
            "spec.targetRefs[0]",
            R::UnknownTarget {
                target: "apps/Deployment".into(),
                instead: TargetInstead::Advice("name its Service, or use `selector`"),
            },
        ),
        Finding::new("spec.targetRefs[0].name", R::OtherNamespace("shop/api".into())),
        Finding::new("spec.targetRefs[0].sectionName", R::PortNumber("8080".into())),
        Finding::new("spec", R::LastGoodInForce),
        Finding::new("spec.selector", R::TargetsUnused),
        Finding::new("metadata.name", R::Overridden("shop/other".into())),
        Finding::new("metadata.namespace", R::UnknownNamespaceMode("DryRun".into())),
        Finding::new("metadata.namespace", R::NamespaceOff),
        Finding::new("spec.rules", R::SwitchesOff { other: "shop/other".into(), by_target: false }),
        Finding::new("spec", R::CutOff { count: 1234, shown: 99 }),
    ]
}

fn guardrails() -> Vec<Finding> {
    use GuardrailReason as R;
    let excesses = [
        ("spec.cors.allowOrigins[0]", Excess::Origin("https://evil.example".into())),
        ("spec.cors.allowOriginRegexes[0]", Excess::Regex("https://[a-z]+[.]app[.]example".into())),
        ("spec.cors.dangerouslyAllow[0]", Excess::Danger(Danger::NullOriginWithCredentials)),
        ("spec.cors.maxAge", Excess::MaxAge { written: "86400".into(), max: 7_200 }),
        ("spec.cors.allowMethods", Excess::Method("DELETE".into())),
        ("spec.cors.allowHeaders", Excess::Header("x-debug".into())),
        ("spec.disallowedRequests", Excess::Forwarded),
    ];
    let exceeded = excesses.into_iter().flat_map(|(field, excess)| {
        [true, false].map(|enforced| {
            let (guardrail, excess) = ("platform".to_owned(), excess.clone());
            Finding::new(field, R::Exceeded { guardrail, enforced, excess })
        })
    });
    let values = "spec.namespaceSelector.matchExpressions[0].values";
    let own = [
        Finding::new("spec.namespaceSelector", R::EmptySelector),
        Finding::new(values, R::Values(LabelOperator::In)),
        Finding::new(values, R::Values(LabelOperator::Exists)),
        Finding::new("spec.guardrails", R::None),
        Finding::new("spec.namespaceSelector", R::SelectorUnused),
        Finding::new("spec.namespaceSelector", R::SelectsNothing),
        Finding::new("spec", R::LastGoodHolds),
    ];
    exceeded.chain(own).collect()
}

fn origin_sets() -> Vec<Finding> {
    use OriginSetReason as R;
    let name = "spec.cors.allowOriginsFrom[0]";
    vec![
        Finding::new(name, R::Missing("partners".into())),
        Finding::new(name, R::NotAmongFiles("partners".into())),
        Finding::new(name, R::Refused("partners".into())),
        Finding::new("spec.cors.allowOriginsFrom[1]", R::Repeated("partners".into())),
        Finding::new("spec.origins[0]", R::Any),
        Finding::new("spec.origins", R::Empty),
    ]
}
