//! `validate`: everything there is to say about the policies of some files, and an exit code that says it in one number.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use corsward_api::v1alpha1::TargetRef;
use corsward_manifest::finding::SourceReason;
use corsward_manifest::yaml::Reader;
use corsward_operator_core::cluster_state::{
    Change, Delta, Gateway, Key, Namespace, NamespaceMode, Service, ServicePort, TargetPort,
};
use corsward_operator_core::event::{Event, Problem};
use corsward_operator_core::finding::{GuardrailReason, PlacementReason};
use corsward_operator_core::guardrails::{Guardrail, GuardrailStates};
use corsward_operator_core::index::Index;
use corsward_operator_core::object::Object;
use corsward_operator_core::origin_sets::OriginSets;
use corsward_operator_core::plan::Plan;
use corsward_operator_core::publish::istio::REACH;
use corsward_operator_core::report::FindingReport;
use corsward_operator_core::targets::Target;
use corsward_operator_core::validation::{Context, Validation, validate_object};
use corsward_policy::validate::NoKnowledge;
use corsward_policy::{Finding, Knowledge, PolicyId, Severity, finding};
use serde::Serialize;

use crate::args::{OutputFormat, ValidateArgs};
use crate::source::dir;
use crate::source::folder::{FileRead, Folder, Snapshot};

/// The result of validation, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValidateOutcome {
    /// Every policy is accepted, with or without warnings and hints.
    Accepted = 0,
    /// A policy is refused.
    Refused = 1,
    /// Something could not be read, or nothing was there.
    Unreadable = 2,
}

/// A finding and where it belongs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    file: String,
    policy: Option<String>,
    #[serde(flatten)]
    finding: FindingReport,
    #[serde(skip)]
    text: String,
}

/// The findings so far.
#[derive(Debug, Default)]
struct Found {
    lines: Vec<Line>,
    policies: usize,
    /// Sets and guardrails.
    dependencies: usize,
    outcome: Option<ValidateOutcome>,
}

/// Validates files, and prints what was found.
///
/// # Errors
///
/// Fails if printing fails.
pub fn validate(
    args: &ValidateArgs,
    knowledge: &dyn Knowledge,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> io::Result<ValidateOutcome> {
    let mut found = Found::default();
    let mut folder = Folder::read_by(Reader::Kubectl);
    let readings = args.files.iter().flat_map(|path| read(path)).collect();
    let snapshot = folder.scan(readings);
    let (mut origin_sets, mut guardrails) = (OriginSets::default(), GuardrailStates::default());
    origin_sets.validate(&snapshot.origin_sets, knowledge);
    guardrails.validate(&snapshot.guardrails, knowledge);
    let guardrails: Vec<Guardrail> = guardrails.in_force().cloned().collect();
    for problem in &snapshot.problems {
        if let Some(finding) = as_selected(problem, &guardrails, &snapshot) {
            found.add(&problem.place, None, &finding);
        }
    }
    let sets = origin_sets.origins();
    let context = Context { sets, may_have_others: true, ..Context::new(knowledge) };
    found.dependencies = snapshot.origin_sets.len().saturating_add(snapshot.guardrails.len());
    let validated = |object| (object, validate_object(object, context));
    let objects: Vec<_> = snapshot.objects.iter().map(validated).collect();
    let about_others = about_others(&snapshot, &objects);
    found.policies = objects.len();
    for (object, validation) in objects.into_iter().chain(snapshot.duplicates.iter().map(validated))
    {
        let namespace = snapshot.namespaces.get(&object.id.namespace);
        let bounds = bounds(&object.id.namespace, namespace, &guardrails);
        for finding in judged(validation, &bounds) {
            found.add(object.place.as_deref().unwrap_or_default(), Some(&object.id), &finding);
        }
    }
    for object in &snapshot.objects {
        let namespace = snapshot.namespaces.get(&object.id.namespace);
        let of_others = about_others.get(&object.id).into_iter().flatten().cloned();
        for finding in of_others.chain(namespace.and_then(about_mode)) {
            found.add(object.place.as_deref().unwrap_or_default(), Some(&object.id), &finding);
        }
    }
    found.lines.sort_by(|a, b| (&a.file, &a.policy).cmp(&(&b.file, &b.policy)));
    found.print(args.output, out, notes)
}

/// The guardrails that bound the policies of a namespace: all of them, where the files do not have its labels.
fn bounds(name: &str, namespace: Option<&Namespace>, guardrails: &[Guardrail]) -> Vec<Guardrail> {
    let selects = |guardrail: &&Guardrail| {
        namespace.is_none_or(|namespace| guardrail.selects(name, &namespace.labels))
    };
    guardrails.iter().filter(selects).cloned().collect()
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

/// A problem of the files, where their Namespaces leave one: they have the labels that selectors are about.
fn as_selected(
    problem: &Problem,
    guardrails: &[Guardrail],
    snapshot: &Snapshot,
) -> Option<Finding> {
    let Problem { place: _, guardrail, finding } = problem;
    let namespaces = &snapshot.namespaces;
    let is_known = |object: &Object| namespaces.contains_key(&object.id.namespace);
    if finding.reason != GuardrailReason::SelectorUnused.into()
        || namespaces.is_empty()
        || !snapshot.objects.iter().all(is_known)
    {
        return Some(finding.clone());
    }
    // Nothing is known of the selector of a guardrail that is refused.
    let guardrail = guardrails.iter().find(|it| Some(it.name()) == guardrail.as_deref())?;
    let is_selected = namespaces.iter().any(|(name, it)| guardrail.selects(name, &it.labels));
    let reason = GuardrailReason::SelectsNothing;
    (!is_selected).then(|| Finding::new(finding.field.clone(), reason))
}

/// The findings about a policy beside those sets and guardrails, which bound it.
fn judged(validation: Validation, guardrails: &[Guardrail]) -> Vec<Finding> {
    let Validation { accepted, mut findings, spec: _ } = validation;
    // An API server gets the file in the end, and there targets count.
    findings.retain(|finding| finding.reason != PlacementReason::TargetsUnused.into());
    if let Some(accepted) = accepted {
        findings.extend(accepted.exceeded(guardrails));
        finding::sort(&mut findings);
    }
    findings
}

/// The findings about pairs of accepted policies in a cluster that has all of them, and targets that share no proxy.
fn about_others(
    snapshot: &Snapshot,
    objects: &[(&Object, Validation)],
) -> BTreeMap<PolicyId, Vec<Finding>> {
    let mut index = Index::new(Arc::new(NoKnowledge), REACH.unseen());
    let mut put = |change| index.on(Event::ClusterState(change));
    put(Change::OriginSet(Delta::Reset(snapshot.origin_sets.clone())));
    put(Change::Namespace(Delta::Reset(snapshot.namespaces.clone())));
    let accepted = objects
        .iter()
        .filter_map(|(object, validation)| Some((*object, &validation.accepted.as_ref()?.target)));
    let accepted: Vec<_> = accepted.collect();
    // A target stands for what all policies say of it.
    let mut sections: BTreeMap<(&str, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    for (object, target) in &accepted {
        let Target::Refs(refs) = target else { continue };
        for TargetRef { group: _, kind, name, section_name } in refs {
            let named = sections.entry((&object.id.namespace, kind, name)).or_default();
            named.extend(section_name.as_deref());
        }
    }
    for ((namespace, kind, name), sections) in &sections {
        put(stand_in(namespace, kind, name, sections));
    }
    for (object, _) in &accepted {
        index.apply((*object).clone());
    }
    let mut plan = Plan::default();
    for scope in index.take_changed() {
        plan.update(&index, &scope);
    }
    let planned = plan.scopes().values().flat_map(|scope| &scope.policies);
    planned.map(|(id, planned)| (id.clone(), planned.about_others().cloned().collect())).collect()
}

/// A Service or a Gateway that policies name and no file shows. Of two Services it is not known whether they share a pod, so they do not.
fn stand_in(namespace: &str, kind: &str, name: &str, sections: &BTreeSet<&str>) -> Change {
    let key = Key { namespace: namespace.to_owned(), name: name.to_owned() };
    // Any numbers will do, as long as no two sections share one.
    let ports = (1_u16..).zip(sections).map(|(port, section)| ((*section).to_owned(), port));
    if kind == "Gateway" {
        let gateway = Gateway { listeners: ports.collect(), ..Gateway::default() };
        return Change::Gateway(Delta::Apply(key, gateway));
    }
    let ports = ports.map(|(name, port)| ServicePort {
        name: Some(name),
        port,
        target: TargetPort::Number(port),
        app_protocol: None,
    });
    let selector = [("corsward.io/service".to_owned(), name.to_owned())].into();
    Change::Service(Delta::Apply(key, Service { selector, ports: ports.collect() }))
}

/// The files under a path that was named, by the name they are printed with.
fn read(path: &Path) -> Vec<(String, FileRead)> {
    let name = path.display().to_string();
    let failed = |error: io::Error| Err(SourceReason::Unreadable(error.to_string()));
    let reading = if name == "-" {
        dir::read_bounded(io::stdin().lock(), 0)
    } else if path.is_dir() {
        let whole = |(file, reading)| (path.join::<String>(file).display().to_string(), reading);
        return match dir::read(path) {
            Ok(files) => files.into_iter().map(whole).collect(),
            Err(error) => vec![(name, failed(error))],
        };
    } else {
        // Not only a file: a pipe of the shell's, say.
        File::open(path).and_then(|file| {
            let len = file.metadata()?.len();
            dir::read_bounded(file, len)
        })
    };
    vec![(name, reading.unwrap_or_else(failed))]
}

// === impl Found ===

impl Found {
    fn add(&mut self, file: &str, policy: Option<&PolicyId>, finding: &Finding) {
        let outcome = match (finding.severity(), policy, finding.field.as_str()) {
            // A finding about a whole file: it could not be read.
            (Severity::Refusal, None, "") => ValidateOutcome::Unreadable,
            (Severity::Refusal, _, _) => ValidateOutcome::Refused,
            (Severity::Warning | Severity::Hint, _, _) => ValidateOutcome::Accepted,
        };
        self.outcome = self.outcome.max(Some(outcome));
        let finding = FindingReport::of(finding);
        let FindingReport { code, severity, field, message } = &finding;
        let policy = policy.map(ToString::to_string);
        let whose = policy.as_ref().map(|policy| format!("{policy}: ")).unwrap_or_default();
        let space = if field.is_empty() { "" } else { " " };
        let text = format!("{file}: {whose}{code} {severity}{space}{field}: {message}");
        let file = file.to_owned();
        self.lines.push(Line { file, policy, finding, text });
    }

    fn print(
        &self,
        output: OutputFormat,
        out: &mut impl Write,
        notes: &mut impl Write,
    ) -> io::Result<ValidateOutcome> {
        let is_empty = self.policies == 0 && self.dependencies == 0;
        // A wrong path must not pass for a good policy.
        let nothing =
            if is_empty { ValidateOutcome::Unreadable } else { ValidateOutcome::Accepted };
        let outcome = self.outcome.unwrap_or(nothing);
        match output {
            OutputFormat::Json => {
                serde_json::to_writer_pretty(&mut *out, &self.lines)?;
                writeln!(out)?;
            }
            OutputFormat::Text => {
                for line in &self.lines {
                    writeln!(out, "{}", line.text)?;
                }
            }
        }
        let verdict = match outcome {
            ValidateOutcome::Unreadable if self.outcome.is_none() => {
                "nothing of corsward.io was found"
            }
            ValidateOutcome::Unreadable => "not everything could be read",
            ValidateOutcome::Refused => "refused",
            ValidateOutcome::Accepted => "accepted",
        };
        let policies = if self.policies == 1 { "policy" } else { "policies" };
        writeln!(notes, "{} {policies}: {verdict}", self.policies)?;
        Ok(outcome)
    }
}
