//! Proxy: the answers of a proxy that has the policies, by the real decision, and the policies behind them.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::Context as _;
use corsward_api::KIND;
use corsward_api::v1alpha1::CorsPolicySpec;
use corsward_browser::plan::Sent;
use corsward_browser::{CredentialsMode, HeaderLine, PageRequest, combined};
use corsward_manifest::knowledge::FullKnowledge;
use corsward_manifest::{convert, shape};
use corsward_policy::draft::Mode;
use corsward_policy::precedence::{has_rules_alone, narrowest_host};
use corsward_policy::response_plan::ResponsePlan;
use corsward_policy::scope::HostPattern;
use corsward_policy::verdict::Verdict;
use corsward_policy::{
    Action, Compiled, Draft, Finding, Policy, PolicyId, Request, RequestField, Response, Validated,
    compile, decide, validate,
};
use url::Url;

use super::diagnosis::Diagnosis;
use super::reply::{Answer, Judgement, Reply, Role};
use crate::policies::{OffSwitch, Proxies};

/// A proxy with policies.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// The targets of the proxy, where the files have others too.
    pub(crate) name: Option<String>,
    drafts: Vec<Draft>,
    // INVARIANT: as many as there are drafts, in their order.
    policies: Vec<Arc<Policy>>,
    /// The port that requests come to, if the target names one.
    port: Option<u16>,
    /// The switch that keeps all policies from answering.
    off: Option<OffSwitch>,
    compiled: Compiled,
    /// The upstream's answer to the request, if it is known.
    upstream: Option<Answer>,
}

// === impl Proxy ===

impl Proxy {
    /// The proxy with the policies of the plan.
    pub(crate) fn of(proxies: Proxies) -> anyhow::Result<Self> {
        let Proxies { name, policies, port, off } = proxies;
        let (mut drafts, mut all) = (Vec::new(), Vec::new());
        for (policy, spec) in policies {
            let id = policy.id();
            let spec: CorsPolicySpec = shape::accepted(KIND, spec.value())
                .with_context(|| format!("read the spec of {id}"))?;
            drafts.push(convert::draft(id, &spec, policy.specificity(), policy.created()));
            all.push(policy);
        }
        let (policies, compiled, upstream) = (all, Compiled::default(), None);
        let mut proxy = Self { name, drafts, policies, port, off, compiled, upstream };
        proxy.compile();
        Ok(proxy)
    }

    /// The same proxy, in front of an upstream with that answer.
    pub(crate) fn before(self, upstream: Option<Answer>) -> Self {
        Self { upstream, ..self }
    }

    /// The same proxy with an edited policy.
    ///
    /// # Errors
    ///
    /// Fails with the finding that refuses it.
    pub(crate) fn with(&self, place: usize, draft: Draft) -> Result<Self, Box<Finding>> {
        let Validated { policy, findings } = validate(&draft, &FullKnowledge);
        let refusal = findings.into_iter().find(Finding::is_refusal);
        if let Some(refusal) = refusal {
            return Err(Box::new(refusal));
        }
        let mut edited = self.clone();
        if let (Some(slot), Some(known), Some(policy)) =
            (edited.drafts.get_mut(place), edited.policies.get_mut(place), policy)
        {
            (*slot, *known) = (draft, Arc::new(policy));
        }
        edited.compile();
        Ok(edited)
    }

    fn compile(&mut self) {
        let in_force = self.policies.iter().filter(|_| self.off.is_none());
        self.compiled = compile(&in_force.map(|policy| &**policy).collect::<Vec<_>>());
    }

    /// The policies as they are written.
    pub(crate) fn drafts(&self) -> &[Draft] {
        &self.drafts
    }

    /// The hostnames of all policies, each once.
    fn hostnames(&self) -> String {
        let mut hosts: Vec<String> = Vec::new();
        for host in self.drafts.iter().flat_map(|draft| &draft.hostnames) {
            let host = format!("`{host}`");
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts.join(", ")
    }

    /// Decides about a request.
    pub(crate) fn ask(&self, page: &PageRequest, sent: &Sent) -> Reply {
        let received = ProxyRequest { page, sent, port: self.port };
        let decision = decide(&self.compiled, &received);
        let mut policies = Vec::new();
        if let Some(verdict) = &decision.verdict {
            policies.push(judgement(verdict, Role::Decides, None));
            policies.extend(self.overridden(&received, verdict.policy()));
        }
        if let Some(shadow) = &decision.shadow {
            policies.push(judgement(&shadow.verdict(), Role::DryRun, None));
        }
        // The upstream's answer is that to the request, not to a preflight.
        let upstream = self.upstream.as_ref().filter(|_| !is_preflight(sent));
        let is_assumed = matches!(decision.action, Action::Continue { .. }) && upstream.is_none();
        let answer = match &decision.action {
            Action::Passthrough => upstream.cloned(),
            Action::LocalReply(reply) => {
                Some(Answer { status: reply.status, headers: owned(reply.headers.iter()) })
            }
            Action::Continue { plan, .. } => Some(edited(plan, upstream)),
        };
        let verdict = decision.verdict.as_ref();
        let resting = if verdict.is_none() { self.not_enforced(&received) } else { None };
        Reply {
            answer,
            unknown: match (verdict, &resting) {
                (Some(_), _) => "the policy leaves the answer to the upstream",
                (None, Some(_)) => "no policy in force answers the request: the upstream does",
                (None, None) => "no policy covers the request: the upstream answers",
            },
            failed: verdict.is_none().then(|| {
                resting.unwrap_or_else(|| match &self.name {
                    Some(name) if self.drafts.is_empty() => Diagnosis::without_policies(name),
                    _ => self.not_covered(&page.url),
                })
            }),
            policies,
            policy: verdict.map(|verdict| verdict.policy().clone()),
            outcome: verdict.map(|verdict| verdict.outcome),
            capture: None,
            is_assumed,
        }
    }

    /// The fault that no policy decides: for the path alone, if policies cover the host by rules of other paths.
    fn not_covered(&self, url: &Url) -> Diagnosis {
        let host = url.host_str().and_then(|host| HostPattern::parse(host).ok());
        let has_others = |draft: &Draft, policy: &Policy| {
            let covers = host.as_ref().is_some_and(|host| narrowest_host(policy, host).is_some());
            covers && draft.mode == Mode::Active && has_rules_alone(policy)
        };
        let both = self.drafts.iter().zip(&self.policies).filter(|_| self.off.is_none());
        let others: Vec<&Draft> = both
            .filter(|(draft, policy)| has_others(draft, policy))
            .map(|(draft, _)| draft)
            .collect();
        match others.as_slice() {
            [] => Diagnosis::not_covered(url, &self.hostnames()),
            others => Diagnosis::path_not_covered(url, others),
        }
    }

    /// The policy that would decide if a mode of it were `Active`.
    fn not_enforced(&self, received: &ProxyRequest<'_>) -> Option<Diagnosis> {
        self.drafts.iter().find_map(|draft| {
            let rules = draft.rules.iter().enumerate();
            let off = rules.filter(|(_, rule)| rule.mode == Mode::Off).map(|(at, _)| Some(at));
            [None].into_iter().chain(off).find_map(|rule| {
                let mut active = draft.clone();
                active.mode = Mode::Active;
                let mut fields = Vec::new();
                fields.extend(self.off.map(|off| match off {
                    OffSwitch::Namespace => format!(
                        "the annotation `corsward.io/mode: Off` of the Namespace `{}`",
                        draft.id.namespace
                    ),
                    OffSwitch::Cluster => "the operator's switch `enforcement: Off`".to_owned(),
                }));
                let mode = match draft.mode {
                    Mode::Active => None,
                    Mode::DryRun => Some("DryRun"),
                    Mode::Off => Some("Off"),
                };
                if let Some(mode) = mode {
                    fields.push(format!("`spec.mode: {mode}`"));
                }
                if let Some(at) = rule {
                    active.rules.get_mut(at)?.mode = Mode::Active;
                    fields.push(format!("`spec.rules[{at}].mode: Off`"));
                }
                if fields.is_empty() {
                    return None;
                }
                let policy = validate(&active, &FullKnowledge).policy?;
                let alone = compile(&[&policy]);
                let verdict = decide(&alone, received).verdict?;
                Some(Diagnosis::not_enforced(&draft.id, &fields.join(" and "), &spoken(&verdict)))
            })
        })
    }

    /// The other policies that would decide alone.
    fn overridden<'p>(
        &'p self,
        received: &'p ProxyRequest<'_>,
        winner: &'p PolicyId,
    ) -> impl Iterator<Item = Judgement> + 'p {
        let host = received.page.url.host_str().and_then(|host| HostPattern::parse(host).ok());
        let others = self.policies.iter().filter(move |policy| {
            let covers = host.as_ref().is_none_or(|host| narrowest_host(policy, host).is_some());
            covers && policy.id() != winner
        });
        others.filter_map(move |policy| {
            let alone = compile(&[&**policy]);
            let verdict = decide(&alone, received).verdict?;
            let why = self.precedence(received.page, winner, policy.id());
            Some(judgement(&verdict, Role::Overridden, Some(why)))
        })
    }

    /// The reason why `winner` took precedence over `other`, in the order of the criteria.
    fn precedence(&self, page: &PageRequest, winner: &PolicyId, other: &PolicyId) -> &'static str {
        let both = || self.drafts.iter().zip(&self.policies);
        let find = |id: &PolicyId| both().find(|(draft, _)| draft.id == *id);
        let (Some((winner, decides)), Some((other, overridden))) = (find(winner), find(other))
        else {
            return "";
        };
        let host = page.url.host_str().and_then(|host| HostPattern::parse(host).ok());
        let narrowest = |policy| narrowest_host(policy, host.as_ref()?);
        if winner.specificity != other.specificity {
            "the target of the deciding policy is more specific"
        } else if narrowest(decides) != narrowest(overridden) {
            "the hostname of the deciding policy is more specific"
        } else if winner.created != other.created {
            let age = |draft: &Draft| draft.created.unwrap_or(i64::MAX);
            if age(winner) < age(other) {
                "the path of the deciding policy is more specific, or it is older"
            } else {
                "the path of the deciding policy is more specific"
            }
        } else {
            "the path of the deciding policy is more specific, or its name comes first"
        }
    }
}

fn judgement(verdict: &Verdict<'_>, role: Role, why: Option<&'static str>) -> Judgement {
    Judgement { policy: verdict.policy().to_string(), role, verdict: spoken(verdict), why }
}

/// `preflight refused (header), by the rule of /public`.
fn spoken(verdict: &Verdict<'_>) -> String {
    let rule = verdict.path().map(|path| format!(", by the rule of {path}")).unwrap_or_default();
    let reason = verdict.outcome.refusal().map(|refusal| format!(" ({})", refusal.label()));
    let outcome = format!("{} {}", verdict.kind.label(), verdict.outcome.label());
    let spoken = format!("{outcome}{}", reason.unwrap_or_default()).replace('_', " ");
    format!("{spoken}{rule}")
}

fn owned<'h>(headers: impl Iterator<Item = (&'static str, &'h [u8])>) -> Vec<HeaderLine> {
    headers.map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

/// A browser's request, as the proxy gets it.
struct ProxyRequest<'a> {
    page: &'a PageRequest,
    sent: &'a Sent,
    port: Option<u16>,
}

// === impl ProxyRequest ===

impl Request for ProxyRequest<'_> {
    fn field(&self, field: RequestField) -> Option<Cow<'_, [u8]>> {
        let url = &self.page.url;
        let text = |text: &str| Some(Cow::Owned(text.as_bytes().to_vec()));
        match field {
            RequestField::Method => text(&self.sent.method),
            RequestField::Scheme | RequestField::XForwardedProto => text(url.scheme()),
            RequestField::Authority => {
                let host = url.host_str().unwrap_or_default();
                match url.port() {
                    Some(port) => text(&format!("{host}:{port}")),
                    None => text(host),
                }
            }
            RequestField::Path => match url.query() {
                Some(query) => text(&format!("{}?{query}", url.path())),
                None => text(url.path()),
            },
            RequestField::SecFetchSite => {
                let same = self.page.origin.is_of(url);
                text(if same { "same-origin" } else { "cross-site" })
            }
            RequestField::Cookie => {
                let travels = self.page.credentials == CredentialsMode::Include;
                (travels && self.sent.method != "OPTIONS").then_some(Cow::Borrowed(b""))
            }
            _ => combined(&self.sent.headers, field.name()).map(Cow::Owned),
        }
    }

    fn destination_port(&self) -> Option<u16> {
        self.port.or_else(|| self.page.url.port_or_known_default())
    }
}

fn is_preflight(sent: &Sent) -> bool {
    combined(&sent.headers, "access-control-request-method").is_some()
}

/// The answer of the upstream with the edits of the proxy; by default the upstream answers 200 without a header of CORS.
fn edited(plan: &ResponsePlan, upstream: Option<&Answer>) -> Answer {
    let assumed = Answer { status: 200, headers: Vec::new() };
    let mut answer = upstream.unwrap_or(&assumed).clone();
    let edits = plan.edits(&Upstream(upstream.unwrap_or(&assumed)));
    let removed: Vec<&str> = edits.remove().collect();
    let is_edited = |name: &str| {
        edits.set.iter().any(|(set, _)| set.eq_ignore_ascii_case(name))
            || removed.iter().any(|removed| removed.eq_ignore_ascii_case(name))
    };
    answer.headers.retain(|(name, _)| !is_edited(name));
    answer.headers.extend(owned(edits.set.iter()));
    answer
}

/// The response of an upstream.
struct Upstream<'a>(&'a Answer);

// === impl Upstream ===

impl Response for Upstream<'_> {
    fn header(&self, name: &'static str) -> Option<Cow<'_, [u8]>> {
        if name == ":status" {
            return Some(Cow::Owned(self.0.status.to_string().into_bytes()));
        }
        combined(&self.0.headers, name).map(Cow::Owned)
    }
}
