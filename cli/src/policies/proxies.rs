//! Proxies: the sets of proxies that the operator's plan tells apart, and the policies that each of them gets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use corsward_api::json_text::JsonText;
use corsward_api::v1alpha1::TargetRef;
use corsward_operator_core::cluster_state::{Key, Labels, TargetPort};
use corsward_operator_core::targets::{self, Target, TargetProxies};
use corsward_policy::precedence::narrowest_host;
use corsward_policy::scope::HostPattern;
use corsward_policy::{Policy, PolicyId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Policies;
use crate::output::OneLine;

/// Most targets with the same policies that a message names.
const MAX_NAMED: usize = 3;

/// The declared target of policies, and so a set of proxies: `service/shop/api`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProxyTarget {
    namespace: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// Workloads that no other target names.
    Namespace,
    /// Pods with these labels.
    Selector(Labels),
    /// The pods of a Service, or one port of theirs.
    Service { name: String, section: Option<String> },
    /// The proxies of a Gateway, or one listener of theirs.
    Gateway { name: String, section: Option<String> },
}

/// Proxies that get the same policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxySet {
    namespace: String,
    gateway: Option<String>,
    /// A Service that no file shows has a label of its own.
    labels: BTreeSet<(String, String)>,
    /// The port that requests come to; `None`: one that no policy names.
    port: Option<u16>,
}

/// The proxies that are meant among those of the files.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Only those of this namespace.
    pub namespace: Option<String>,
    /// The proxies that are all of these at once.
    pub targets: Vec<ProxyTarget>,
    /// One proxy that all policies are for.
    pub one_proxy: bool,
}

/// The chosen proxies with their policies.
#[derive(Clone, Debug)]
pub struct Proxies {
    /// Their targets, in words; `None`: the files have no others.
    pub name: Option<String>,
    /// The policies with what each says, those with the mode `Off` among them.
    pub policies: Vec<(Arc<Policy>, JsonText)>,
    /// The port that requests come to, if it is known.
    pub port: Option<u16>,
    /// The switch that keeps all of them from answering.
    pub off: Option<OffSwitch>,
}

/// A switch that says `Off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffSwitch {
    /// The annotation `corsward.io/mode` of the Namespace.
    Namespace,
    /// `enforcement` of the chart.
    Cluster,
}

// === impl ProxyTarget ===

impl ProxyTarget {
    /// The targets that a policy of `namespace` declares.
    fn declared(namespace: &str, target: &Target) -> Vec<Self> {
        let own = |kind| Self { namespace: namespace.to_owned(), kind };
        match target {
            Target::Namespace => vec![own(Kind::Namespace)],
            Target::Selector(labels) => vec![own(Kind::Selector((**labels).clone()))],
            Target::Refs(refs) => {
                let kind = |TargetRef { group: _, kind, name, section_name }: &TargetRef| {
                    let (name, section) = (name.clone(), section_name.clone());
                    let is_gateway = kind == "Gateway";
                    own(if is_gateway {
                        Kind::Gateway { name, section }
                    } else {
                        Kind::Service { name, section }
                    })
                };
                refs.iter().map(kind).collect()
            }
        }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Is it every workload that no other target names?
    pub fn is_namespace(&self) -> bool {
        self.kind == Kind::Namespace
    }

    /// Its object as policies name it, such as `Service/api:http`.
    pub fn object(&self) -> String {
        let port = |section: &Option<String>| {
            section.as_ref().map(|section| format!(":{section}")).unwrap_or_default()
        };
        match &self.kind {
            Kind::Namespace => String::new(),
            Kind::Selector(labels) => listed(labels),
            Kind::Service { name, section } => format!("Service/{name}{}", port(section)),
            Kind::Gateway { name, section } => format!("Gateway/{name}{}", port(section)),
        }
    }
}

fn listed(labels: &Labels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

impl fmt::Display for ProxyTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, kind } = self;
        let (word, name, section) = match kind {
            Kind::Namespace => return write!(f, "namespace/{namespace}"),
            Kind::Selector(labels) => return write!(f, "selector/{namespace}/{}", listed(labels)),
            Kind::Service { name, section } => ("service", name, section),
            Kind::Gateway { name, section } => ("gateway", name, section),
        };
        write!(f, "{word}/{namespace}/{name}")?;
        section.as_ref().map_or(Ok(()), |section| write!(f, ":{section}"))
    }
}

impl FromStr for ProxyTarget {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let fault = || {
            format!(
                "`{text}` is no target: write `namespace/shop`, `service/shop/api`, `service/shop/api:http`, `gateway/shop/edge` or `selector/shop/app=api`"
            )
        };
        let (word, rest) = text.split_once('/').with_context(fault)?;
        if word == "namespace" {
            ensure!(!rest.is_empty() && !rest.contains('/'), fault());
            return Ok(Self { namespace: rest.to_owned(), kind: Kind::Namespace });
        }
        let (namespace, name) = rest.split_once('/').with_context(fault)?;
        ensure!(!namespace.is_empty() && !name.is_empty(), fault());
        let named = || match name.split_once(':') {
            Some((name, section)) => (name.to_owned(), Some(section.to_owned())),
            None => (name.to_owned(), None),
        };
        let kind = match word {
            "selector" => {
                let pairs = name.split(',').map(|label| {
                    let (name, value) = label.split_once('=').with_context(fault)?;
                    Ok((name.to_owned(), value.to_owned()))
                });
                Kind::Selector(pairs.collect::<anyhow::Result<_>>()?)
            }
            "service" => {
                let (name, section) = named();
                Kind::Service { name, section }
            }
            "gateway" => {
                let (name, section) = named();
                Kind::Gateway { name, section }
            }
            _ => bail!(fault()),
        };
        Ok(Self { namespace: namespace.to_owned(), kind })
    }
}

impl Serialize for ProxyTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProxyTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format_args!("{error:#}")))
    }
}

// === impl ProxySet ===

impl ProxySet {
    /// Those that are of both; `None`: there can be none. Two Services that no file shows may share a pod.
    pub fn meet(&self, other: &Self) -> Option<Self> {
        let are_apart = self.labels.iter().any(|(name, value)| {
            let differs = |(theirs, it): &(String, String)| theirs == name && it != value;
            name != super::cluster::STAND_IN && other.labels.iter().any(differs)
        });
        let may_share_a_port = match (self.port, other.port) {
            (Some(own), Some(theirs)) => own == theirs,
            _ => true,
        };
        let are_alike = self.namespace == other.namespace && self.gateway == other.gateway;
        (are_alike && may_share_a_port && !are_apart).then(|| Self {
            labels: self.labels.union(&other.labels).cloned().collect(),
            port: self.port.or(other.port),
            ..self.clone()
        })
    }

    /// The workloads of a namespace that have no label of their own.
    pub fn of_namespace(name: &str) -> Self {
        Self { namespace: name.to_owned(), ..Self::default() }
    }

    /// Their namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Is it for the proxies of a Gateway? Each has its own.
    pub fn is_gateway(&self) -> bool {
        self.gateway.is_some()
    }

    /// Has each of them that label?
    pub fn has_label(&self, name: &str, value: &str) -> bool {
        self.labels.iter().any(|(own, it)| own == name && it == value)
    }

    /// The port that requests come to.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Are they all in the place of a policy?
    fn is_within(&self, place: &targets::ProxySet) -> bool {
        let are_meant = match (&place.proxies, &self.gateway) {
            (TargetProxies::Workloads(labels), None) => {
                labels.iter().all(|(name, value)| self.has_label(name, value))
            }
            (TargetProxies::Gateway(name), Some(gateway)) => name == gateway,
            _ => false,
        };
        let is_port = |ports: &BTreeSet<u16>| self.port.is_some_and(|port| ports.contains(&port));
        are_meant && place.ports.as_ref().is_none_or(is_port)
    }
}

// === impl Policies ===

impl Policies {
    /// The targets that policies declare.
    pub fn targets(&self) -> BTreeSet<ProxyTarget> {
        let accepted = self.accepted();
        accepted.flat_map(|(id, it)| ProxyTarget::declared(&id.namespace, &it.target)).collect()
    }

    /// The proxies of a target; `None`: no file shows its object or its section, and no policy names it.
    pub fn proxy_set(&self, target: &ProxyTarget) -> Option<ProxySet> {
        let ProxyTarget { namespace, kind } = target;
        let key = |name: &String| Key { namespace: namespace.clone(), name: name.clone() };
        let mut set = ProxySet { namespace: namespace.clone(), ..ProxySet::default() };
        let owned = |labels: &Labels| labels.clone().into_iter().collect();
        match kind {
            Kind::Namespace => {}
            Kind::Selector(labels) => set.labels = owned(labels),
            Kind::Service { name, section } => {
                let service = self.cluster.service(&key(name))?;
                set.labels = owned(&service.selector);
                if let Some(section) = section {
                    let is_it = |name: &Option<String>| name.as_ref() == Some(section);
                    let port = service.ports.iter().find(|port| is_it(&port.name))?;
                    set.port = match port.target {
                        TargetPort::Number(port) => Some(port),
                        TargetPort::Name(_) => None,
                    };
                }
            }
            Kind::Gateway { name, section } => {
                let gateway = self.cluster.gateway(&key(name))?;
                set.gateway = Some(name.clone());
                if let Some(section) = section {
                    set.port = Some(*gateway.listeners.get(section)?);
                }
            }
        }
        Some(set)
    }

    /// Does a file show the object of a target, as far as it decides which proxies that is?
    pub fn shows(&self, target: &ProxyTarget) -> bool {
        let ProxyTarget { namespace, kind } = target;
        let object = match kind {
            Kind::Namespace | Kind::Selector(_) => return true,
            Kind::Service { name, .. } => format!("Service {namespace}/{name}"),
            Kind::Gateway { name, .. } => format!("Gateway {namespace}/{name}"),
        };
        !self.unseen().contains(&object)
    }

    /// The policies that proxies get, those with the mode `Off` among them, by name.
    pub fn of_proxies(&self, set: &ProxySet) -> Vec<(Arc<Policy>, JsonText)> {
        let in_force = self.cluster.planned(&set.namespace).filter_map(|planned| {
            let in_force = planned.in_force.as_ref()?;
            let is_for = planned.placement.places.iter().any(|place| set.is_within(place));
            is_for.then(|| (Arc::clone(&in_force.policy), in_force.spec.clone()))
        });
        in_force.collect()
    }

    /// Is no policy of that namespace in force, by a switch?
    pub fn is_off(&self, namespace: &str) -> bool {
        self.cluster.off(Some(namespace)).is_some()
    }

    /// The proxies that a request to `host` reaches.
    ///
    /// # Errors
    ///
    /// Fails with the choices where several proxies answer by different policies, and with the fault of a target that is none.
    pub fn choose(&self, choice: &Choice, host: &str) -> anyhow::Result<Proxies> {
        let Choice { namespace, targets, one_proxy } = choice;
        if *one_proxy {
            let specs = self.accepted().map(|(_, accepted)| accepted.spec.clone());
            let policies = self.of_one_proxy().into_iter().map(Arc::new).zip(specs).collect();
            let off = self.cluster.off(None);
            return Ok(Proxies { name: None, policies, port: None, off });
        }
        let all = self.targets();
        if !targets.is_empty() {
            let set = self.all_at_once(targets)?;
            return Ok(self.proxies(&set, Some(shown(targets, " that is also "))));
        }
        let is_meant =
            |it: &&ProxyTarget| namespace.as_ref().is_none_or(|name| it.namespace == *name);
        let candidates: Vec<&ProxyTarget> = all.iter().filter(is_meant).collect();
        if let (Some(namespace), []) = (namespace, candidates.as_slice()) {
            let names: BTreeSet<&str> = all.iter().map(ProxyTarget::namespace).collect();
            let names = names.into_iter().collect::<Vec<_>>().join("`, `");
            bail!("no policy is of the namespace `{namespace}`; there are policies of `{names}`");
        }
        self.by_host(&candidates, host)
    }

    /// The proxies that the host alone selects.
    fn by_host(&self, candidates: &[&ProxyTarget], host: &str) -> anyhow::Result<Proxies> {
        let pattern = HostPattern::parse(host).ok();
        let covers = |policy: &Policy| {
            pattern.as_ref().is_none_or(|host| narrowest_host(policy, host).is_some())
        };
        let mut groups: BTreeMap<Vec<PolicyId>, Vec<(&ProxyTarget, ProxySet)>> = BTreeMap::new();
        for &target in candidates {
            let Some(set) = self.proxy_set(target) else { continue };
            let policies = self.of_proxies(&set).into_iter().filter(|(policy, _)| covers(policy));
            let ids = policies.map(|(policy, _)| policy.id().clone()).collect();
            groups.entry(ids).or_default().push((target, set));
        }
        let without = groups.remove(&Vec::new());
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, group)| group.first().map(|(target, _)| *target));
        let group = match (groups.as_slice(), &without) {
            ([], None) => bail!("no proxy gets a policy; `corsward check` says why"),
            ([], Some(group)) | ([(_, group)], _) => group,
            _ => {
                let mut text = format!(
                    "the request may reach several proxies, which have different policies for `{host}`; name one with `--target`, or as the `target` of a test:"
                );
                for (ids, group) in &groups {
                    let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    for (target, _) in group.iter().take(MAX_NAMED) {
                        let choice = format!("{target}  (policies: {ids})");
                        let _ = write!(text, "\n{}", OneLine(choice));
                    }
                }
                bail!(text);
            }
        };
        let name = (candidates.len() > 1).then(|| {
            let targets: Vec<_> = group.iter().map(|(target, _)| (*target).clone()).collect();
            shown(&targets, ", ")
        });
        let set = group.first().map(|(_, set)| set.clone()).unwrap_or_default();
        let mut proxies = self.proxies(&set, name);
        if groups.is_empty() {
            // No policy covers the host, of whichever proxy.
            let others = group.iter().skip(1).flat_map(|(_, set)| self.of_proxies(set));
            proxies.policies.extend(others);
            proxies.policies.sort_by(|(one, _), (other, _)| one.id().cmp(other.id()));
            proxies.policies.dedup_by(|(one, _), (other, _)| one.id() == other.id());
        }
        Ok(proxies)
    }

    fn proxies(&self, set: &ProxySet, name: Option<String>) -> Proxies {
        let off = self.cluster.off(Some(&set.namespace));
        Proxies { name, policies: self.of_proxies(set), port: set.port, off }
    }

    /// Does a policy or a Service say anything about the proxies of a target? A slip in its name must not pass for proxies without policies.
    fn knows(&self, target: &ProxyTarget, set: &ProxySet) -> bool {
        if !self.of_proxies(set).is_empty() {
            return true;
        }
        let own = self.targets();
        let mut own = own.iter().filter(|it| it.namespace == target.namespace);
        match &target.kind {
            Kind::Namespace => own.next().is_some(),
            Kind::Selector(_) => {
                let mut sets = own.filter_map(|it| self.proxy_set(it));
                sets.any(|it| !it.labels.is_disjoint(&set.labels))
            }
            Kind::Service { .. } | Kind::Gateway { .. } => true,
        }
    }

    /// The proxies that are of all those targets.
    fn all_at_once(&self, targets: &[ProxyTarget]) -> anyhow::Result<ProxySet> {
        let mut all: Option<ProxySet> = None;
        for target in targets {
            let set = self.proxy_set(target).filter(|set| self.knows(target, set));
            let set = set.with_context(|| {
                let known: Vec<String> = self.targets().iter().map(ToString::to_string).collect();
                format!(
                    "no file shows `{target}`, and no policy names it; the policies are for {}",
                    known.join(", ")
                )
            })?;
            all = Some(match &all {
                None => set,
                Some(others) => others
                    .meet(&set)
                    .with_context(|| format!("no proxy is {}", shown(targets, " and ")))?,
            });
        }
        Ok(all.unwrap_or_default())
    }
}

/// The first few targets.
fn shown(targets: &[ProxyTarget], between: &str) -> String {
    let few: Vec<String> = targets.iter().take(MAX_NAMED).map(ToString::to_string).collect();
    match targets.len().saturating_sub(MAX_NAMED) {
        0 => few.join(between),
        more => format!("{} and {more} more", few.join(between)),
    }
}
