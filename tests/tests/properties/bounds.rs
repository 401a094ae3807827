//! Sets of valid policies on both sides of each bound of the wire.

use corsward_policy::draft::{Mode, PathType, RuleDraft, UpstreamOrigin};
use corsward_policy::limits::{
    MAX_HOSTNAMES, MAX_LIST_LEN, MAX_PLACES_PER_PROXY, MAX_REGEXES, MAX_REGEXES_PER_PROXY,
    MAX_RULES, MAX_WIRE_LEN, MAX_WORKLOAD_LABELS, MAX_WORKLOADS,
};
use corsward_policy::validate::NoKnowledge;
use corsward_policy::{Draft, Policy, PolicyId, Workload, compile, validate, wire};

use crate::laws;

/// Policies, each with its workloads.
pub(crate) type Set = Vec<(Policy, Vec<Workload>)>;

/// A bound of the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    Len,
    RegexesOfPolicies,
    RegexesOfRules,
    Places,
    PlacesByPort,
    Workloads,
    Labels,
    Origins,
    Regexes,
    RegexSize,
    Rules,
    Hostnames,
    AnyOrigin,
}

impl Bound {
    pub(crate) const ALL: [Self; 13] = [
        Self::Len,
        Self::RegexesOfPolicies,
        Self::RegexesOfRules,
        Self::Places,
        Self::PlacesByPort,
        Self::Workloads,
        Self::Labels,
        Self::Origins,
        Self::Regexes,
        Self::RegexSize,
        Self::Rules,
        Self::Hostnames,
        Self::AnyOrigin,
    ];

    /// The policies that are beyond the bound by so many; those of them that are valid.
    pub(crate) fn set(self, by: isize) -> Set {
        let near = |bound: usize| bound.checked_add_signed(by).expect("a small difference");
        let everywhere = |draft: &Draft| vec![(valid(draft), Vec::new())];
        match self {
            Self::Len => of_len(near(MAX_WIRE_LEN)),
            Self::RegexesOfPolicies => {
                let total = near(MAX_REGEXES_PER_PROXY);
                let full = valid(&with_regexes(MAX_REGEXES)).into_iter();
                let full = full.cycle().take(total / MAX_REGEXES);
                let rest = Some(total % MAX_REGEXES).filter(|rest| *rest > 0);
                let rest = rest.and_then(|rest| valid(&with_regexes(rest)));
                full.chain(rest).map(|policy| (Some(policy), Vec::new())).collect()
            }
            Self::RegexesOfRules => {
                let blocks = near(MAX_REGEXES_PER_PROXY / MAX_REGEXES);
                everywhere(&Draft { rules: rules(blocks - 1), ..with_regexes(MAX_REGEXES) })
            }
            // 64 hosts, and 64 blocks.
            Self::Places => {
                let policy =
                    valid(&Draft { hostnames: hostnames(64), rules: rules(63), ..small("a") });
                vec![(policy, Vec::new()); near(MAX_PLACES_PER_PROXY / 64 / 64)]
            }
            // The same in two tables.
            Self::PlacesByPort => {
                let policy =
                    valid(&Draft { hostnames: hostnames(64), rules: rules(63), ..small("a") });
                let port = Workload { port: Some(80), ..Workload::default() };
                let mut set = vec![(policy, Vec::new()); near(MAX_PLACES_PER_PROXY / 64 / 64 / 2)];
                set.iter_mut().take(1).for_each(|(_, workloads)| workloads.push(port.clone()));
                set
            }
            Self::Workloads => {
                let workload = |port| Workload { port: Some(port), ..Workload::default() };
                let workloads = (1_u16..).take(near(MAX_WORKLOADS)).map(workload).collect();
                vec![(valid(&small("a")), workloads)]
            }
            Self::Labels => {
                let label = |at| (format!("l{at}"), String::new());
                let labels = (0..near(MAX_WORKLOAD_LABELS)).map(label).collect();
                vec![(valid(&small("a")), vec![Workload { labels, port: None }])]
            }
            Self::Origins => {
                let origins = (0..near(MAX_LIST_LEN)).map(|at| format!("https://o{at}.example"));
                everywhere(&shared_with(origins))
            }
            Self::Regexes => everywhere(&with_regexes(near(MAX_REGEXES))),
            Self::RegexSize => everywhere(&regexes(
                (0..near(12)).map(|at| format!(r"https://r{at}-[a-z]{{60}}\.example")),
            )),
            Self::Rules => everywhere(&Draft { rules: rules(near(MAX_RULES)), ..small("a") }),
            Self::Hostnames => {
                everywhere(&Draft { hostnames: hostnames(near(MAX_HOSTNAMES)), ..small("a") })
            }
            Self::AnyOrigin => {
                let origins = (0..near(3)).map(|at| format!("https://o{at}.example"));
                everywhere(&shared_with(std::iter::once("*".to_owned()).chain(origins)))
            }
        }
        .into_iter()
        .filter_map(|(policy, workloads)| Some((policy?, workloads)))
        .collect()
    }
}

fn valid(draft: &Draft) -> Option<Policy> {
    validate(draft, &NoKnowledge).policy
}

fn shared_with(origins: impl Iterator<Item = String>) -> Draft {
    let origins: Vec<String> = origins.collect();
    let id = PolicyId { namespace: "ns".into(), name: "a".into() };
    Draft { id, ..laws::policy_of(&origins.iter().map(String::as_str).collect::<Vec<_>>()) }
}

fn small(name: &str) -> Draft {
    let id = PolicyId { namespace: "ns".into(), name: name.into() };
    Draft { id, ..laws::policy_of(&["https://a.example"]) }
}

fn regexes(texts: impl Iterator<Item = String>) -> Draft {
    let mut draft = small("a");
    draft.cors.iter_mut().for_each(|cors| cors.allow_origins.clear());
    if let Some(cors) = &mut draft.cors {
        cors.allow_origin_regexes = texts.collect();
    }
    draft
}

fn with_regexes(count: usize) -> Draft {
    regexes((0..count).map(|at| format!(r"https://r{at}\.example")))
}

fn hostnames(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("h{at}.test")).collect()
}

fn rules(count: usize) -> Vec<RuleDraft> {
    let rule = |at| RuleDraft {
        path_type: PathType::PathPrefix,
        path_value: format!("/{at}"),
        mode: Mode::Active,
        cors: None,
        disallowed_requests: None,
        trusted_origins: None,
        upstream_origin: Some(UpstreamOrigin::Remove),
    };
    (0..count).map(rule).collect()
}

/// Policies whose text has exactly that length: large ones, then smaller ones, then a long name.
fn of_len(len: usize) -> Vec<(Option<Policy>, Vec<Workload>)> {
    let label = "a".repeat(63);
    let long = |count| {
        let host = [label.as_str(), &label, &label].join(".");
        shared_with((0..count).map(move |at| format!("https://o{at}.{host}.example")))
    };
    let added =
        |policy: &Policy| wire::encode(&compile(&[policy])).len() - r#"{"policies":[]}"#.len() + 1;
    let last = valid(&small("a")).expect("a policy");
    let mut left = len - r#"{"policies":[]}"#.len() + 1;
    let mut set = Vec::new();
    for draft in [long(1500), long(20), small("a")] {
        let policy = valid(&draft).expect("a policy");
        while left >= added(&policy) + added(&last) {
            left -= added(&policy);
            set.push((Some(policy.clone()), Vec::new()));
        }
    }
    let name = "a".repeat(1 + left - added(&last));
    set.push((valid(&small(&name)), Vec::new()));
    set
}
