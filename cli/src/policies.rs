//! Policies: those of files, validated beside the objects of the same files, and the configuration that their proxies get.
//!
//! An API server gets the files in the end, and so they are read as `kubectl` reads them. Objects that no file shows may be in the cluster:
//! a policy that names one is not refused for it.

mod cluster;
mod documents;
pub(crate) mod files;
mod live;
mod parallel;
mod proxies;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use corsward_manifest::outline::Outline;
use corsward_operator_core::bundle::Bundle;
use corsward_operator_core::cluster_state::{Key, Namespace, NamespaceMode, RawObject};
use corsward_operator_core::finding::{GuardrailReason, OriginSetReason, PlacementReason};
use corsward_operator_core::guardrails::{Guardrail, GuardrailStates};
use corsward_operator_core::json_text::JsonText;
use corsward_operator_core::object::Object;
use corsward_operator_core::origin_sets::OriginSets;
use corsward_operator_core::publish::istio::REACH;
use corsward_operator_core::validation::{Accepted, Context, Validation, validate_object};
use corsward_policy::draft::Specificity;
use corsward_policy::{Compiled, Finding, Policy, PolicyId, compile, finding};
use serde_json::Value;

use self::cluster::Cluster;
use self::documents::{Documents, ObjectName, duplicate};
pub(crate) use self::files::STDIN;
pub use self::files::{FileSource, SourceFile};
pub use self::live::{Listed, LiveObjects};
pub(crate) use self::parallel::map;
pub use self::proxies::{Choice, OffSwitch, Proxies, ProxySet, ProxyTarget};

/// The policies of files, and everything that there is to say about the files.
#[derive(Debug, Default)]
pub struct Policies {
    /// The files, in the order of the paths, and then those of a live cluster.
    pub files: Vec<SourceFile>,
    /// The policies, each once, by namespace and name.
    pub policies: Vec<LoadedPolicy>,
    /// The number of origin sets and guardrails.
    pub dependencies: usize,
    /// The number of objects of files that count, without those of a live cluster.
    pub written: usize,
    /// The findings, in the order of the files.
    pub findings: Vec<FileFinding>,
    /// The outlines of the files, in their order.
    outlines: Vec<Option<Outline>>,
    cluster: Cluster,
}

/// A policy of a file.
#[derive(Debug)]
pub struct LoadedPolicy {
    /// Its namespace and name.
    pub id: PolicyId,
    /// Its place.
    pub place: Place,
    /// What it says, unless a finding refuses it; then the last good text that its status keeps.
    pub accepted: Option<Arc<Accepted>>,
    /// The generation of that last good text.
    pub last_good: Option<i64>,
}

/// A finding, and what it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct FileFinding {
    /// Its place.
    pub place: Place,
    /// The object that it is about; `None`: a file, or a document without a name.
    pub subject: Option<Subject>,
    /// The finding. Its field is seen from the root of the object.
    pub finding: Finding,
}

/// A file, and an object in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its index among the files.
    pub file: usize,
    /// The index of the object among those of the file, where each item of a list is one; `None`: the whole file.
    pub document: Option<usize>,
}

/// An object that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace, empty where its kind has none, and its name.
    pub id: PolicyId,
}

/// The name of an origin set that no file shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsentSet<'p> {
    /// The policy that names it.
    pub policy: &'p PolicyId,
    /// Its name.
    pub set: &'p str,
    /// The field of the policy.
    pub field: &'p str,
}

/// The objects of all files, each once.
#[derive(Debug, Default)]
struct Objects {
    policies: BTreeMap<PolicyId, (Place, Object)>,
    /// The other texts of policies that are there more than once.
    duplicates: Vec<(Place, Object)>,
    origin_sets: BTreeMap<Key, (Place, Arc<Value>)>,
    guardrails: BTreeMap<String, (Place, Arc<Value>)>,
    namespaces: BTreeMap<String, Namespace>,
    /// The number of objects of the files beside those of a live cluster.
    written: usize,
    findings: Vec<FileFinding>,
    /// The outlines of the files, in their order.
    outlines: Vec<Option<Outline>>,
}

// === impl Policies ===

impl Policies {
    /// Reads the policies at those paths: files, folders with all that is below them, and `-`, standard input. What cannot be read is a
    /// finding.
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Self {
        Self::read_over(&LiveObjects::default(), paths)
    }

    /// Reads the policies at those paths, laid over the objects of a live cluster: an object of a file takes the place of the live one.
    pub fn read_over<P: AsRef<Path>>(live: &LiveObjects, paths: &[P]) -> Self {
        Self::over(live, files::at(paths))
    }

    /// The policies of those files.
    pub fn of(files: Vec<SourceFile>) -> Self {
        Self::over(&LiveObjects::default(), files)
    }

    /// Reads the policies at two paths. A Service or a Gateway that the files of one alone show is in the cluster of both.
    pub(crate) fn read_both(paths: [&Path; 2]) -> [Self; 2] {
        let [old, new] = paths.map(|path| files::at(&[path]));
        let ((old_objects, mut of_old), (new_objects, mut of_new)) =
            (Objects::read(&old), Objects::read(&new));
        let shown = of_old.clone();
        of_old.borrow(&of_new);
        of_new.borrow(&shown);
        let none = LiveObjects::default();
        [
            Self::judged(old, old_objects, of_old, &none),
            Self::judged(new, new_objects, of_new, &none),
        ]
    }

    fn over(live: &LiveObjects, mut files: Vec<SourceFile>) -> Self {
        files.extend_from_slice(&live.files);
        let (mut objects, cluster) = Objects::read(&files);
        // A file that is applied keeps what the API server has beside the spec.
        for (id, (_, object)) in &mut objects.policies {
            object.record = live.records.get(id).cloned();
        }
        Self::judged(files, objects, cluster, live)
    }

    fn judged(
        files: Vec<SourceFile>,
        objects: Objects,
        cluster: Cluster,
        live: &LiveObjects,
    ) -> Self {
        let mut policies = Self { files, cluster, ..Self::default() };
        policies.validate(objects, live);
        policies.findings.sort_by(|a, b| {
            let key = |it: &FileFinding| (it.place, it.subject.is_some());
            key(a).cmp(&key(b))
        });
        policies
    }

    /// The policies that are accepted, by namespace and name.
    pub fn accepted(&self) -> impl Iterator<Item = (&PolicyId, &Accepted)> {
        let accepted = self.policies.iter();
        accepted.filter_map(|policy| Some((&policy.id, policy.accepted.as_deref()?)))
    }

    /// The bundles of Istio's proxies: each a set of proxies, and the configuration that they get. A policy without a target, or with a
    /// selector, is for sidecars. The pods of a Service that no file shows are not known: it stands for pods of its own.
    pub fn bundles(&self) -> impl Iterator<Item = &Arc<Bundle>> {
        self.cluster.bundles()
    }

    /// The objects that decide which proxies get a policy and that no file shows, such as `Service shop/api`.
    pub fn unseen(&self) -> &[String] {
        self.cluster.unseen()
    }

    /// The outline of a file's text, where it has one.
    pub(crate) fn outline(&self, file: usize) -> Option<&Outline> {
        self.outlines.get(file)?.as_ref()
    }

    /// The first path that cannot be read, with the reason.
    pub(crate) fn unreadable(&self) -> Option<String> {
        self.files.iter().find_map(|file| {
            let reason = file.bytes.as_ref().err()?;
            Some(format!("{}: {}", file.name, Finding::new("", reason.clone()).message()))
        })
    }

    /// The origin sets that policies name and no file shows. Nothing is known of their origins.
    pub fn absent_sets(&self) -> impl Iterator<Item = AbsentSet<'_>> {
        self.findings.iter().filter_map(|it| {
            let OriginSetReason::NotAmongFiles(set) = it.finding.reason.downcast_ref()? else {
                return None;
            };
            let policy = &it.subject.as_ref()?.id;
            Some(AbsentSet { policy, set, field: &it.finding.field })
        })
    }

    /// The accepted policies for one proxy that all of them are for, as of an Envoy beside a folder of policies: there a target gives no
    /// precedence.
    pub(crate) fn of_one_proxy(&self) -> Vec<Policy> {
        let policies = self.accepted().map(|(_, accepted)| &accepted.policy);
        policies.map(|policy| policy.with_specificity(Specificity::Namespace)).collect()
    }

    /// The configuration of one proxy that all accepted policies are for.
    pub fn compiled(&self) -> Compiled {
        compile(&self.of_one_proxy().iter().collect::<Vec<_>>())
    }

    /// The first refusal with its place, and the number of the others.
    pub(crate) fn first_refusal(&self) -> Option<String> {
        let mut refusals = self.findings.iter().filter(|it| it.finding.is_refusal());
        let first = refusals.next()?;
        let file = self.files.get(first.place.file).map(|file| file.name.clone());
        let subject = first.subject.as_ref().map(|subject| subject.id.to_string());
        let field = Some(first.finding.field.clone()).filter(|field| !field.is_empty());
        let place: Vec<String> = file.into_iter().chain(subject).chain(field).collect();
        let more = match refusals.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        Some(format!("{}: {}{more}", place.join(": "), first.finding.message()))
    }

    /// Does a finding refuse something?
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(|it| it.finding.is_refusal())
    }

    fn validate(&mut self, objects: Objects, live: &LiveObjects) {
        let Objects {
            policies,
            duplicates,
            origin_sets,
            guardrails,
            namespaces,
            written,
            findings,
            outlines,
        } = objects;
        (self.written, self.findings, self.outlines) = (written, findings, outlines);
        self.dependencies = origin_sets.len().saturating_add(guardrails.len());
        let (mut sets, mut states) = (OriginSets::default(), GuardrailStates::default());
        sets.validate(&raw(&origin_sets));
        states.validate(&raw(&guardrails));
        let in_force: Vec<Guardrail> = states.in_force().cloned().collect();
        self.judge_selectors(&guardrails, &in_force, &policies, &namespaces);
        let (sets, reach) = (&sets.origins, REACH.unseen());
        let counting = policies.into_values().map(|it| (it, true));
        let all: Vec<_> = counting.chain(duplicates.into_iter().map(|it| (it, false))).collect();
        let judged = map(all, |((place, object), counts)| {
            let namespace = namespaces.get(&object.id.namespace);
            let bounds = bounds(&object.id.namespace, namespace, &in_force);
            let may_have_others = !live.lists(corsward_api::ORIGIN_SET_KIND, &object.id.namespace);
            let context = Context { sets, reach, may_have_others, accepted_before: false };
            let mut validation = validate_object(&object, context);
            judge(&mut validation, &bounds);
            let mut last_good = None;
            if validation.accepted.is_none()
                && let Some((generation, accepted)) = recorded(&object, context, &bounds)
            {
                (validation.accepted, last_good) = (Some(accepted), Some(generation));
            }
            (place, object, validation, last_good, counts)
        });
        let mut validated = Vec::new();
        for (place, object, mut validation, last_good, counts) in judged {
            let findings = std::mem::take(&mut validation.findings);
            self.find(place, &object.id, findings);
            if counts {
                let (id, accepted) = (object.id.clone(), validation.accepted.clone());
                self.policies.push(LoadedPolicy { id, place, accepted, last_good });
                validated.push((object, validation));
            }
        }
        self.cluster.plan(validated, &namespaces, live);
        self.judge_together(&namespaces);
    }

    /// The findings about policies beside the others of their proxies, their targets and their namespaces.
    fn judge_together(&mut self, namespaces: &BTreeMap<String, Namespace>) {
        let mut findings = Vec::new();
        for LoadedPolicy { id, place, accepted: _, last_good } in &self.policies {
            // What there is to say about the last good text is not about this one.
            let of_cluster =
                if last_good.is_some() { Vec::new() } else { self.cluster.findings(id) };
            let of_mode = namespaces.get(&id.namespace).and_then(about_mode);
            findings.push((*place, id.clone(), of_cluster.into_iter().chain(of_mode).collect()));
        }
        for (place, id, found) in findings {
            self.find(place, &id, found);
        }
    }

    /// The findings about selectors of guardrails, beside the Namespaces of the files.
    fn judge_selectors(
        &mut self,
        guardrails: &BTreeMap<String, (Place, Arc<Value>)>,
        in_force: &[Guardrail],
        policies: &BTreeMap<PolicyId, (Place, Object)>,
        namespaces: &BTreeMap<String, Namespace>,
    ) {
        let is_known = |id: &PolicyId| namespaces.contains_key(&id.namespace);
        let all_known = !namespaces.is_empty() && policies.keys().all(is_known);
        for (name, (place, spec)) in guardrails {
            if spec.get("namespaceSelector").is_none() {
                continue;
            }
            let reason = if all_known {
                // Nothing is known of the selector of a guardrail that is refused.
                let Some(guardrail) = in_force.iter().find(|it| it.name == *name) else {
                    continue;
                };
                if namespaces.iter().any(|(name, it)| guardrail.selects(name, &it.labels)) {
                    continue;
                }
                GuardrailReason::SelectsNothing
            } else {
                GuardrailReason::SelectorUnused
            };
            let id = PolicyId { namespace: String::new(), name: name.clone() };
            let subject = Some(Subject { kind: corsward_api::GUARDRAIL_KIND, id });
            let finding = Finding::new("spec.namespaceSelector", reason);
            self.findings.push(FileFinding { place: *place, subject, finding });
        }
    }

    fn find(&mut self, place: Place, policy: &PolicyId, findings: Vec<Finding>) {
        let subject = Subject { kind: corsward_api::KIND, id: policy.clone() };
        self.findings.extend(findings.into_iter().map(|finding| FileFinding {
            place,
            subject: Some(subject.clone()),
            finding,
        }));
    }
}

// === impl Subject ===

impl Subject {
    /// `namespace/name`, or the name alone where the kind has no namespace.
    pub fn name(&self) -> String {
        let PolicyId { namespace, name } = &self.id;
        if namespace.is_empty() { name.clone() } else { self.id.to_string() }
    }
}

// === impl Objects ===

impl Objects {
    fn read(files: &[SourceFile]) -> (Self, Cluster) {
        let numbered: Vec<(usize, &SourceFile)> = files.iter().enumerate().collect();
        let mut documents = map(numbered, |(at, file)| Documents::read(file, at));
        let written = overlay(&mut documents, files);
        let (objects, cluster) = Self::of(documents, files);
        (Self { written, ..objects }, cluster)
    }

    /// The objects of those files, and the state of their cluster. Of several with one name the last counts: `kubectl` applies them in that
    /// order.
    fn of(documents: Vec<Documents>, files: &[SourceFile]) -> (Self, Cluster) {
        let (mut objects, mut cluster) = (Self::default(), Cluster::default());
        for Documents {
            policies,
            origin_sets,
            guardrails,
            namespaces,
            services,
            gateways,
            names: _,
            findings,
            outline,
        } in documents
        {
            objects.findings.extend(findings);
            objects.outlines.push(outline);
            for (place, object) in policies {
                match objects.policies.entry(object.id.clone()) {
                    Entry::Vacant(vacant) => drop(vacant.insert((place, object))),
                    Entry::Occupied(mut occupied) => {
                        let is_new = occupied.get().1.text != object.text;
                        let (id, (first, other)) =
                            (object.id.clone(), occupied.insert((place, object)));
                        if is_new {
                            objects.repeat(first, corsward_api::KIND, id, (place, files));
                            objects.duplicates.push((first, other));
                        }
                    }
                }
            }
            for (place, key, spec) in origin_sets {
                let id = PolicyId { namespace: key.namespace.clone(), name: key.name.clone() };
                let before = objects.origin_sets.insert(key, (place, Arc::clone(&spec)));
                if let Some((first, _)) = before.filter(|(_, other)| *other != spec) {
                    objects.repeat(first, corsward_api::ORIGIN_SET_KIND, id, (place, files));
                }
            }
            for (place, name, spec) in guardrails {
                let id = PolicyId { namespace: String::new(), name: name.clone() };
                let before = objects.guardrails.insert(name, (place, Arc::clone(&spec)));
                if let Some((first, _)) = before.filter(|(_, other)| *other != spec) {
                    objects.repeat(first, corsward_api::GUARDRAIL_KIND, id, (place, files));
                }
            }
            objects.namespaces.extend(namespaces);
            cluster.add(services, gateways);
        }
        (objects, cluster)
    }

    fn repeat(
        &mut self,
        place: Place,
        kind: &'static str,
        id: PolicyId,
        (counting, files): (Place, &[SourceFile]),
    ) {
        let file = files.get(counting.file);
        self.findings.extend(file.map(|file| duplicate(place, Subject { kind, id }, file)));
    }
}

/// Removes the live objects that an object of a file replaces; the number of objects of the files.
fn overlay(documents: &mut [Documents], files: &[SourceFile]) -> usize {
    let live = files.partition_point(|file| file.source != FileSource::Cluster);
    let (written, live) = documents.split_at_mut(live);
    let names: BTreeSet<ObjectName> =
        written.iter().flat_map(|documents| documents.names.iter().cloned()).collect();
    let mut replaced = BTreeMap::new();
    for documents in live.iter_mut().filter(|it| !it.names.is_disjoint(&names)) {
        replaced.extend(std::mem::take(documents).namespaces);
    }
    for (name, namespace) in written.iter_mut().flat_map(|it| &mut it.namespaces) {
        let Some(Namespace { labels, mode }) = replaced.get(name) else { continue };
        // `kubectl apply` keeps the labels and annotations that others wrote.
        for (label, value) in labels {
            namespace.labels.entry(label.clone()).or_insert_with(|| value.clone());
        }
        if namespace.mode == NamespaceMode::Unset {
            namespace.mode = mode.clone();
        }
    }
    names.len()
}

/// The objects as a cluster has them, without a status.
fn raw<K: Clone + Ord>(objects: &BTreeMap<K, (Place, Arc<Value>)>) -> BTreeMap<K, RawObject> {
    let raw = |spec: &Arc<Value>| RawObject {
        uid: String::new(),
        generation: 0,
        spec: Arc::clone(spec),
        status: JsonText::default(),
    };
    objects.iter().map(|(key, (_, spec))| (key.clone(), raw(spec))).collect()
}

/// The guardrails that bound the policies of a namespace: all of them, where the files do not have its labels.
fn bounds<'g>(
    name: &str,
    namespace: Option<&Namespace>,
    guardrails: &'g [Guardrail],
) -> Vec<Guardrail> {
    let selects = |guardrail: &&'g Guardrail| {
        namespace.is_none_or(|namespace| guardrail.selects(name, &namespace.labels))
    };
    guardrails.iter().filter(selects).cloned().collect()
}

/// The last good text of a policy that its status keeps, and its generation, unless a guardrail forbids it.
fn recorded(
    object: &Object,
    context: Context<'_>,
    guardrails: &[Guardrail],
) -> Option<(i64, Arc<Accepted>)> {
    let (generation, spec) = object.recorded()?;
    let object = Object { text: spec.into(), ..object.clone() };
    let mut validation = validate_object(&object, Context { accepted_before: true, ..context });
    judge(&mut validation, guardrails);
    Some((generation, validation.accepted?))
}

/// Judges a policy by the guardrails that bound it.
fn judge(validation: &mut Validation, guardrails: &[Guardrail]) {
    let Some(accepted) = &validation.accepted else { return };
    let exceeded = accepted.exceeded(guardrails);
    if exceeded.iter().any(Finding::is_refusal) {
        validation.accepted = None;
    }
    validation.findings.extend(exceeded);
    finding::sort(&mut validation.findings);
}

/// The finding about the mode of a policy's namespace.
fn about_mode(namespace: &Namespace) -> Option<Finding> {
    match namespace.mode {
        NamespaceMode::Off => {
            Some(Finding::new("metadata.namespace", PlacementReason::NamespaceOff))
        }
        NamespaceMode::Unset | NamespaceMode::Unknown(_) => namespace.unknown_mode(),
    }
}
