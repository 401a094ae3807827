//! Exchange: one request and its response, answered by one configuration from beginning to end.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use corsward_policy::response_plan::ResponsePlan;
use corsward_policy::{Action, Decision, Request, RequestField, Response, Shadow, Verdict, decide};

use crate::denial_log;
use crate::host::StreamHost;
use crate::running::Running;

/// One request and its response.
///
/// A proxy may pass a local reply to [`Exchange::on_response`] while [`Exchange::on_request`] still runs, so both take the
/// exchange by reference, and neither borrows its state across a call of the host. The default one enforces nothing.
#[derive(Default)]
pub struct Exchange {
    /// In force when the request began.
    running: Arc<Running>,
    /// The plan for the response; none also after a local reply of the filter, because the proxy passes that complete
    /// response to the filter too.
    plan: OnceCell<ResponsePlan>,
    /// The verdict of a `DryRun` policy, until the upstream answers.
    shadow: Cell<Option<Shadow>>,
}

/// The way of a request after the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The proxy forwards it.
    Continue,
    /// The proxy does not forward it: the filter has answered it.
    Answered,
}

/// The request, asked of the proxy one field at a time.
struct ProxyRequest<'h, H> {
    host: &'h H,
    /// Kept for the denial log.
    origin: OnceCell<Option<Cow<'h, [u8]>>>,
}

/// The response, asked of the proxy one header at a time.
struct ProxyResponse<'h, H>(&'h H);

// === impl Exchange ===

impl Exchange {
    pub(crate) fn new(running: Arc<Running>) -> Self {
        Self { running, plan: OnceCell::new(), shadow: Cell::default() }
    }

    /// Decides about the request, and answers it or edits it.
    pub fn on_request(&self, host: &mut impl StreamHost) -> Flow {
        let request = ProxyRequest { host: &*host, origin: OnceCell::new() };
        let Decision { action, verdict, shadow } = decide(&self.running.compiled, &request);
        let denial = verdict.as_ref().and_then(|verdict| request.denial(verdict));
        if let Some(verdict) = &verdict {
            self.running.counters.decided(host, verdict);
        }
        if let Some(denial) = denial {
            self.running.denial_log.report(host, &denial);
        }
        if let Some(shadow) = &shadow {
            self.running.counters.shadow_decided(host, &shadow.verdict());
        }
        match action {
            Action::LocalReply(reply) => {
                host.apply_reply(&reply);
                return Flow::Answered;
            }
            Action::Continue { remove, plan } => {
                host.apply_to_request(remove);
                let _ = self.plan.set(plan);
            }
            Action::Passthrough => {}
        }
        self.shadow.set(shadow);
        Flow::Continue
    }

    /// Edits the response.
    pub fn on_response(&self, host: &mut impl StreamHost) {
        if let Some(shadow) = self.shadow.take() {
            // Before our own edits: it is the upstream's answer that is compared.
            let comparison = shadow.compare(&ProxyResponse(host));
            self.running.counters.shadow_compared(host, &shadow.verdict(), comparison);
        }
        if let Some(plan) = self.plan.get() {
            let edits = plan.edits(&ProxyResponse(host));
            host.apply_to_response(&edits);
        }
    }
}

impl Debug for Exchange {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.debug_struct("Exchange").field("plan", &self.plan).finish_non_exhaustive()
    }
}

// === impl ProxyRequest ===

impl<H> ProxyRequest<'_, H> {
    /// Describes the request for the denial log, if it is denied.
    fn denial(&self, verdict: &Verdict<'_>) -> Option<String> {
        let origin = self.origin.get().and_then(Option::as_deref).unwrap_or_default();
        denial_log::line(verdict, origin)
    }
}

impl<H: StreamHost> Request for ProxyRequest<'_, H> {
    fn field(&self, field: RequestField) -> Option<Cow<'_, [u8]>> {
        let name = field.name();
        match field {
            RequestField::Origin => {
                let origin = self.origin.get_or_init(|| self.host.request_header(name));
                origin.as_deref().map(Cow::Borrowed)
            }
            // Two lines must not pass for the first of them.
            RequestField::SecFetchSite => self.host.request_lines(name),
            _ => self.host.request_header(name),
        }
    }

    fn destination_port(&self) -> Option<u16> {
        self.host.destination_port()
    }
}

// === impl ProxyResponse ===

impl<H: StreamHost> Response for ProxyResponse<'_, H> {
    fn header(&self, name: &'static str) -> Option<Cow<'_, [u8]>> {
        self.0.response_header(name)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use corsward_policy::draft::{
        CorsDraft, Diagnostics, DisallowedRequests, Mode, OnFailure, PathType, RuleDraft,
        UpstreamCorsHeaders, UpstreamOrigin,
    };
    use corsward_policy::wire::OnInvalid;
    use corsward_policy::{Compiled, Draft};

    use super::*;
    use crate::engine::Engine;
    use crate::fake::{self, Fake, Lines};
    use crate::plugin::Plugin;

    const A: (&str, &[u8]) = ("origin", b"https://a.example");
    const EVIL: (&str, &[u8]) = ("origin", b"https://evil.example");
    const PREFLIGHT: [(&str, &[u8]); 3] = [
        (":method", b"OPTIONS"),
        ("access-control-request-method", b"PUT"),
        ("access-control-request-headers", b"x-token"),
    ];

    /// A proxy that runs the policies, and what a request met there.
    struct Proxy {
        fake: Fake,
        engine: Engine,
        plugin: Plugin,
    }

    impl Proxy {
        #[track_caller]
        fn running(drafts: &[Draft]) -> Self {
            let mut engine = Engine::default();
            let (fake, plugin) = (Fake::default(), Plugin::new(&mut engine));
            let mut proxy = Self { fake, engine, plugin };
            proxy.configure(&fake::compiled(drafts));
            proxy
        }

        #[track_caller]
        fn configure(&mut self, compiled: &Compiled) {
            let bytes = fake::envelope_of(compiled, OnInvalid::Keep);
            assert!(self.plugin.configure(&mut self.engine, &mut self.fake, &bytes));
        }

        fn request(&mut self, lines: &[(&str, &[u8])]) -> (Exchange, Flow) {
            let exchange = self.plugin.exchange();
            self.fake.request(lines);
            let flow = exchange.on_request(&mut self.fake);
            (exchange, flow)
        }

        /// The request is forwarded; the upstream answers; these are the lines that leave.
        #[track_caller]
        fn exchange(&mut self, lines: &[(&str, &[u8])], response: &[(&str, &[u8])]) -> Vec<String> {
            let (exchange, flow) = self.request(lines);
            assert_eq!(flow, Flow::Continue);
            self.fake.response(response);
            exchange.on_response(&mut self.fake);
            texts(self.fake.lines_of_response())
        }
    }

    fn texts(lines: &Lines) -> Vec<String> {
        let text = |value: &[u8]| value.escape_ascii().to_string();
        lines.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect()
    }

    fn preflight(origin: (&'static str, &'static [u8])) -> Vec<(&'static str, &'static [u8])> {
        [&PREFLIGHT[..], &[origin]].concat()
    }

    fn draft() -> Draft {
        fake::draft("shop", "api")
    }

    fn anyone() -> Draft {
        let cors = CorsDraft { allow_origins: vec!["*".to_owned()], ..CorsDraft::default() };
        Draft { cors: Some(cors), ..draft() }
    }

    #[test]
    fn the_upstreams_headers_are_replaced_and_vary_is_merged() {
        let mut proxy = Proxy::running(&[draft()]);
        let upstream: &[(&str, &[u8])] = &[
            ("vary", b"accept"),
            ("access-control-allow-origin", b"*"),
            ("access-control-allow-origin", b"https://b.example"),
            ("access-control-allow-private-network", b"true"),
            ("x-other", b"\xff"),
        ];
        let lines = proxy.exchange(&[A], upstream);
        assert_eq!(
            lines,
            [
                "x-other: \\xff",
                "access-control-allow-origin: https://a.example",
                "vary: accept, Origin",
            ]
        );
        let lines = proxy.exchange(&[EVIL], upstream);
        assert_eq!(lines, ["x-other: \\xff", "vary: accept, Origin"]);
    }

    #[test]
    fn a_preflight_is_answered_here_and_our_own_answer_is_left_alone() {
        let mut proxy = Proxy::running(&[draft()]);
        let (exchange, flow) = proxy.request(&preflight(A));
        assert_eq!(flow, Flow::Answered);
        let (status, headers) = proxy.fake.reply().expect("a local reply");
        assert_eq!(status, 204);
        assert!(texts(&headers).contains(&"access-control-allow-methods: PUT".to_owned()));
        // Envoy shows us our own reply on its way out.
        proxy.fake.response(&[("access-control-allow-origin", b"https://a.example")]);
        exchange.on_response(&mut proxy.fake);
        assert_eq!(proxy.fake.calls(), [""; 0]);
    }

    #[test]
    fn our_own_answer_is_left_alone_while_the_request_is_still_handled() {
        for method in [&b"PUT"[..], b"DELETE"] {
            let mut proxy = Proxy::running(&[draft()]);
            let exchange = Rc::new(proxy.plugin.exchange());
            let method = ("access-control-request-method", method);
            proxy.fake.request(&[(":method", b"OPTIONS"), method, A]);
            proxy.fake.pass_reply_to(Rc::clone(&exchange));
            assert_eq!(exchange.on_request(&mut proxy.fake), Flow::Answered);
            assert!(proxy.fake.calls().last().unwrap().starts_with("reply "));
        }
    }

    #[test]
    fn an_older_configuration_goes_on_counting_its_own_policies() {
        let mut proxy = Proxy::running(&[fake::draft("shop", "older")]);
        let exchange = proxy.plugin.exchange();
        // Before the older one in the order of names.
        proxy.configure(&fake::compiled(&[fake::draft("shop", "newer")]));
        proxy.fake.request(&[A]);
        exchange.on_request(&mut proxy.fake);
        proxy.request(&[A]);
        proxy.request(&[A]);
        for (name, want) in [("older", 1), ("newer", 2)] {
            let metric = format!("corsward.policy.shop.{name}.verdict.allowed");
            assert_eq!(proxy.fake.metric(&metric), Some(want), "{name}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_go_through_every_header() {
        const ODD: &[u8] = b"\xff\xfe\x80, \xc3(";
        let fields = [
            ":authority",
            ":path",
            "origin",
            "access-control-request-method",
            "access-control-request-headers",
            "sec-fetch-site",
            "x-forwarded-proto",
            "upgrade",
        ];
        let drafts = [
            Draft { disallowed_requests: DisallowedRequests::Reject, ..draft() },
            Draft { hostnames: vec!["a.example".to_owned()], ..draft() },
            Draft { diagnostics: Diagnostics::Header, ..anyone() },
        ];
        for draft in drafts {
            let mut proxy = Proxy::running(&[draft]);
            for field in fields {
                for method in [&b"OPTIONS"[..], b"GET", ODD] {
                    let (exchange, flow) =
                        proxy.request(&[(":method", method), A, (field, ODD), ("vary", ODD)]);
                    proxy.fake.response(&[("vary", ODD)]);
                    exchange.on_response(&mut proxy.fake);
                    // Whatever was decided, the upstream's own bytes leave as they came.
                    let vary = texts(proxy.fake.lines_of_response()).join("\n");
                    let odd = ODD.escape_ascii().to_string();
                    assert!(flow == Flow::Answered || vary.contains(&odd), "{field}: {vary}");
                }
            }
        }
    }

    #[test]
    fn an_upstream_sees_no_origin_of_what_was_allowed_where_the_policy_says_so() {
        let removing = |draft: Draft| Draft { upstream_origin: UpstreamOrigin::Remove, ..draft };
        let forwarding = Draft { on_failure: OnFailure::Forward, ..removing(draft()) };
        let dry_run = Draft { mode: Mode::DryRun, ..removing(draft()) };
        let null: (&str, &[u8]) = ("origin", b"null");
        for (why, draft, request, want) in [
            ("allowed", removing(draft()), vec![A], false),
            ("not allowed", removing(draft()), vec![EVIL], true),
            ("two lines are no origin", removing(draft()), vec![A, A], true),
            ("anyone is allowed", removing(anyone()), vec![null], false),
            ("a preflight that is forwarded", forwarding, preflight(EVIL), true),
            ("a dry run", dry_run, vec![A], true),
            ("the default", draft(), vec![A], true),
        ] {
            let mut proxy = Proxy::running(&[draft]);
            let (_, flow) = proxy.request(&request);
            assert_eq!(flow, Flow::Continue, "{why}");
            let seen = texts(proxy.fake.lines_of_request());
            assert_eq!(seen.iter().any(|line| line.starts_with("origin: ")), want, "{why}");
            let others =
                |lines: &[String]| lines.iter().filter(|l| !l.starts_with("origin")).count();
            let sent = request.iter().filter(|(name, _)| *name != "origin").count();
            assert_eq!(others(&seen), sent, "{why}: nothing else goes");
        }
    }

    #[test]
    fn a_request_is_answered_by_the_configuration_it_began_with() {
        let mut proxy = Proxy::running(&[draft()]);
        let (exchange, _) = proxy.request(&[A]);
        proxy.configure(&fake::compiled(&[]));
        proxy.fake.response(&[]);
        exchange.on_response(&mut proxy.fake);
        let lines = texts(proxy.fake.lines_of_response());
        assert_eq!(lines, ["access-control-allow-origin: https://a.example", "vary: Origin"]);
    }

    #[test]
    fn decisions_are_counted_by_kind_verdict_and_reason_and_by_policy() {
        let mut proxy = Proxy::running(&[draft()]);
        proxy.request(&[]);
        proxy.request(&[A]);
        proxy.request(&[EVIL]);
        proxy.request(&preflight(EVIL));
        proxy.request(&preflight(("origin", b"")));
        for (name, want) in [
            ("decisions.kind.actual.verdict.allowed.reason.none", 1),
            ("decisions.kind.actual.verdict.refused.reason.origin", 1),
            ("decisions.kind.preflight.verdict.refused.reason.origin", 1),
            ("decisions.kind.preflight.verdict.refused.reason.malformed_origin", 1),
            ("policy.shop.api.verdict.allowed", 1),
            ("policy.shop.api.verdict.refused", 3),
            ("policy.shop.api.verdict.rejected", 0),
        ] {
            assert_eq!(proxy.fake.metric(&format!("corsward.{name}")), Some(want), "{name}");
        }
    }

    #[test]
    fn a_refused_request_says_so_in_filter_state_and_in_the_log() {
        let mut proxy = Proxy::running(&[draft()]);
        proxy.request(&[A]);
        assert_eq!(proxy.fake.filter_state("corsward"), None);
        let evil: (&str, &[u8]) = ("origin", b"https://evil.example\" policy=\"x");
        proxy.request(&[evil]);
        let want = r#"verdict=refused reason=malformed_origin origin="https://evil.example\x22 policy=\x22x" policy=shop/api kind=actual"#;
        assert_eq!(proxy.fake.filter_state("corsward").as_deref(), Some(want));
        assert_eq!(proxy.fake.log_lines(), [format!("Warn {want} suppressed=0")]);
        proxy.request(&[EVIL]);
        assert_eq!(proxy.fake.log_lines().len(), 1, "no more than one line in a second");
        proxy.fake.clock(Duration::from_secs(1));
        proxy.request(&[EVIL]);
        assert!(
            proxy.fake.log_lines()[1].ends_with("suppressed=1"),
            "{:?}",
            proxy.fake.log_lines()
        );
    }

    #[test]
    fn a_dry_run_touches_nothing_and_is_compared_with_the_upstreams_own_answer() {
        let mut proxy = Proxy::running(&[Draft { mode: Mode::DryRun, ..draft() }]);
        let allows: &[(&str, &[u8])] = &[("access-control-allow-origin", b"*")];
        for (request, upstream) in [(A, allows), (A, &[]), (EVIL, allows), (EVIL, &[])] {
            let lines = proxy.exchange(&[request], upstream);
            assert_eq!(lines.len(), upstream.len());
        }
        for (name, want) in [
            ("shadow_comparisons.agree", 2),
            ("shadow_comparisons.ours_only", 1),
            ("shadow_comparisons.upstream_only", 1),
            ("policy.shop.api.shadow_comparisons.agree", 2),
            ("shadow_decisions.kind.actual.verdict.allowed.reason.none", 2),
            ("decisions.kind.actual.verdict.allowed.reason.none", 0),
        ] {
            assert_eq!(proxy.fake.metric(&format!("corsward.{name}")), Some(want), "{name}");
        }
    }

    /// The cost of each kind of request: the calls on the way in, and on the way out. A change here is a change of the
    /// cost of every request; see `docs/benchmarks.md`.
    #[expect(clippy::too_many_lines, reason = "one table")]
    #[test]
    fn host_calls() {
        const REMOVALS: [&str; 7] = [
            "remove access-control-allow-origin",
            "remove access-control-allow-credentials",
            "remove access-control-allow-methods",
            "remove access-control-allow-headers",
            "remove access-control-expose-headers",
            "remove access-control-max-age",
            "remove access-control-allow-private-network",
        ];
        for (why, draft, request, inbound, outbound) in [
            (
                "no origin: one missed look-up; the answer still depends on one",
                draft(),
                vec![],
                vec!["get origin"],
                [&["get vary"], &REMOVALS[..], &["set vary"]].concat(),
            ),
            (
                "no origin under `*`",
                anyone(),
                vec![],
                vec!["get origin"],
                [&REMOVALS[1..], &["set access-control-allow-origin"]].concat(),
            ),
            (
                "an allowed actual request",
                draft(),
                vec![A],
                vec![
                    "get origin",
                    "get access-control-request-method",
                    "count corsward.decisions.kind.actual.verdict.allowed.reason.none",
                    "count corsward.policy.shop.api.verdict.allowed",
                ],
                [&["get vary"], &REMOVALS[1..], &["set access-control-allow-origin", "set vary"]]
                    .concat(),
            ),
            (
                "a preflight that passes",
                draft(),
                preflight(A),
                vec![
                    "get origin",
                    "get access-control-request-method",
                    "get :method",
                    "get access-control-request-headers",
                    "count corsward.decisions.kind.preflight.verdict.allowed.reason.none",
                    "count corsward.policy.shop.api.verdict.allowed",
                    "reply 204",
                ],
                vec![],
            ),
            (
                "a preflight that fails",
                draft(),
                preflight(EVIL),
                vec![
                    "get origin",
                    "get access-control-request-method",
                    "get :method",
                    "count corsward.decisions.kind.preflight.verdict.refused.reason.origin",
                    "count corsward.policy.shop.api.verdict.refused",
                    "state corsward",
                    "now ",
                    "log ",
                    "reply 403",
                ],
                vec![],
            ),
            (
                "the upstream's headers are kept",
                Draft { upstream_cors_headers: UpstreamCorsHeaders::Keep, ..draft() },
                vec![A],
                vec![
                    "get origin",
                    "get access-control-request-method",
                    "count corsward.decisions.kind.actual.verdict.allowed.reason.none",
                    "count corsward.policy.shop.api.verdict.allowed",
                ],
                vec!["get access-control-allow-origin", "get vary", "set vary"],
            ),
            (
                "an allowed request whose `Origin` goes: one call more",
                Draft { upstream_origin: UpstreamOrigin::Remove, ..draft() },
                vec![A],
                vec![
                    "get origin",
                    "get access-control-request-method",
                    "count corsward.decisions.kind.actual.verdict.allowed.reason.none",
                    "count corsward.policy.shop.api.verdict.allowed",
                    "remove origin",
                ],
                [&["get vary"], &REMOVALS[1..], &["set access-control-allow-origin", "set vary"]]
                    .concat(),
            ),
        ] {
            let mut proxy = Proxy::running(&[draft]);
            let (exchange, _) = proxy.request(&request);
            assert_eq!(proxy.fake.calls(), inbound, "{why}");
            proxy.fake.response(&[("access-control-allow-origin", b"*")]);
            exchange.on_response(&mut proxy.fake);
            assert_eq!(proxy.fake.calls(), outbound, "{why}");
        }
    }

    #[test]
    fn only_what_a_policy_needs_is_looked_up() {
        let rule = |value: &str| RuleDraft {
            path_type: PathType::PathPrefix,
            path_value: value.to_owned(),
            cors: None,
            mode: Mode::Active,
            disallowed_requests: Some(DisallowedRequests::Reject),
            trusted_origins: None,
            upstream_origin: None,
        };
        for (why, draft, want) in [
            (
                "a host scope",
                Draft { hostnames: vec!["api.example".to_owned()], ..draft() },
                &[":authority"][..],
            ),
            ("a path scope", Draft { rules: vec![rule("/sso")], ..draft() }, &[":path", "origin"]),
        ] {
            let mut proxy = Proxy::running(&[draft]);
            proxy.request(&[(":authority", b"other.example"), (":path", b"/")]);
            let want: Vec<_> = want.iter().map(|name| format!("get {name}")).collect();
            assert_eq!(proxy.fake.calls(), want, "{why}");
        }
    }

    #[test]
    fn the_port_is_looked_up_where_a_policy_is_narrowed_to_one() {
        let workload = |port| fake::workload("app", "api", Some(port));
        let compiled = fake::compiled_for(&[(draft(), vec![workload(8080), workload(8443)])]);
        for (why, has_label, port, want) in [
            ("one of its ports", true, Some(8443), Some("https://a.example")),
            ("another port", true, Some(80), None),
            ("a port that nobody knows", true, None, None),
            ("another proxy", false, Some(8080), None),
        ] {
            let mut proxy = Proxy::running(&[]);
            proxy.fake.label("app", if has_label { b"api" } else { b"web" });
            proxy.configure(&compiled);
            proxy.fake.port(port);
            let (exchange, _) = proxy.request(&[A]);
            let asked = proxy.fake.calls().contains(&"property destination.port".to_owned());
            assert_eq!(asked, has_label, "{why}");
            proxy.fake.response(&[]);
            exchange.on_response(&mut proxy.fake);
            let lines = proxy.fake.lines_of_response();
            let allowed = lines.iter().find(|(name, _)| name == "access-control-allow-origin");
            let allowed = allowed.map(|(_, value)| value.as_slice());
            assert_eq!(allowed, want.map(str::as_bytes), "{why}");
        }
    }

    #[test]
    fn two_lines_of_sec_fetch_site_do_not_pass_for_the_first() {
        let reject = Draft { disallowed_requests: DisallowedRequests::Reject, ..draft() };
        let mut proxy = Proxy::running(&[Draft { on_failure: OnFailure::Reject, ..reject }]);
        let same: (&str, &[u8]) = ("sec-fetch-site", b"same-origin");
        for (why, lines, want) in [
            ("from the site itself", vec![EVIL, same], Flow::Continue),
            (
                "contradicts itself",
                vec![EVIL, same, ("sec-fetch-site", b"cross-site")],
                Flow::Answered,
            ),
        ] {
            assert_eq!(proxy.request(&lines).1, want, "{why}");
        }
    }
}
