//! Folder: a state machine over scans of a directory. Scans in, the policies that are there out; no IO.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corsward_api::GUARDRAIL_KIND;
use corsward_api::v1alpha1::{ClusterCorsPolicyStatus, GuardrailInForce};
use corsward_manifest::document::Kind;
use corsward_manifest::finding::SourceReason;
use corsward_operator_core::cluster_state::{Key, RawObject};
use corsward_operator_core::event::Problem;
use corsward_operator_core::finding::GuardrailReason;
use corsward_operator_core::json_text::JsonText;
use corsward_operator_core::object::{Object, Text};
use corsward_policy::{Finding, PolicyId};
use serde_json::Value;

use crate::source::document::{self, Dependency, Documents};

/// The state of a directory.
#[derive(Debug, Default)]
pub struct Folder {
    files: BTreeMap<String, SourceFile>,
    /// In which file each policy was found: that file is established, any other is a challenger.
    owners: BTreeMap<PolicyId, String>,
    /// The guardrails that held before a restart, until a scan finds them gone.
    remembered: BTreeMap<String, Arc<Value>>,
    /// The objects of the last scan.
    found: Vec<Object>,
    /// The files of the last look that do not count yet; `None` before the first look.
    unsettled: Option<BTreeMap<String, FileRead>>,
}

/// The bytes of a file, or the reason why it is there and cannot be read.
pub type FileRead = Result<Vec<u8>, SourceReason>;

/// The content of the folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Its policies, each once.
    pub objects: Vec<Object>,
    /// Its origin sets.
    pub origin_sets: BTreeMap<Key, RawObject>,
    /// Its guardrails.
    pub guardrails: BTreeMap<String, RawObject>,
    /// The problems of its files.
    pub problems: Vec<Problem>,
    /// The number of other documents.
    pub others: usize,
}

#[derive(Debug)]
struct SourceFile {
    /// `None`: it was not there.
    reading: Option<FileRead>,
    contents: Result<Documents, Finding>,
    /// Policies that the last scan did not find in it, and the one before did. Saving and renaming look like that for a
    /// moment: they are gone when the next scan reads the same.
    lingering: Vec<Object>,
    /// The origin sets and guardrails that are to be found in it: those of its text, and those of the text before that linger, or
    /// of which a text that cannot be read says nothing.
    dependencies: Vec<Dependency>,
}

// === impl Folder ===

impl Folder {
    /// A folder of which it is known in which file each policy was before a restart, and which guardrails held.
    pub fn remembering(
        owners: BTreeMap<PolicyId, String>,
        remembered: BTreeMap<String, Arc<Value>>,
    ) -> Self {
        Self { owners, remembered, ..Self::default() }
    }

    /// Takes in what a look read, and says what is in the folder now; nothing at the first look.
    ///
    /// A text counts when two looks in a row read it: half a policy may be a valid one that lacks its restrictions.
    pub fn look(&mut self, readings: BTreeMap<String, FileRead>) -> Option<Snapshot> {
        let Some(before) = self.unsettled.take() else {
            self.unsettled = Some(readings);
            return None;
        };
        let (mut settled, mut unsettled) = (BTreeMap::new(), BTreeMap::new());
        for (name, reading) in readings {
            let known = self.files.get(&name).and_then(|file| file.reading.as_ref());
            if known == Some(&reading) || before.get(&name) == Some(&reading) {
                settled.insert(name, reading);
                continue;
            }
            if let Some(known) = known {
                settled.insert(name.clone(), known.clone());
            } else if self.owns(&name) || !self.remembered.is_empty() {
                let reason = SourceReason::Unreadable("it is being written".to_owned());
                settled.insert(name.clone(), Err(reason));
            }
            unsettled.insert(name, reading);
        }
        self.unsettled = Some(unsettled);
        Some(self.scan(settled))
    }

    /// Takes in what a scan read, all of which counts, and says what is in the folder now.
    pub fn scan(&mut self, mut readings: BTreeMap<String, FileRead>) -> Snapshot {
        let mut names: BTreeSet<String> = self.files.keys().cloned().collect();
        names.extend(readings.keys().cloned());
        for name in names {
            let reading = readings.remove(&name);
            match self.files.get_mut(&name) {
                Some(file) if file.reading == reading => file.settle(),
                _ => {
                    let file = self.parse(&name, reading);
                    self.files.insert(name, file);
                }
            }
        }
        self.files.retain(|_, file| file.reading.is_some() || file.lingers());
        let snapshot = self.snapshot();
        let owner = |object: &Object| Some((object.id.clone(), object.place.clone()?));
        self.owners = snapshot.objects.iter().filter_map(owner).collect();
        self.found.clone_from(&snapshot.objects);
        self.remembered.retain(|name, _| snapshot.guardrails.contains_key(name));
        snapshot
    }

    /// Did the last look miss a file, or see a new one? A second look soon confirms it.
    pub fn is_unsure(&self) -> bool {
        let unsettled = self.unsettled.as_ref().is_some_and(|unsettled| !unsettled.is_empty());
        unsettled || self.files.values().any(SourceFile::lingers)
    }

    fn parse(&self, name: &str, reading: Option<FileRead>) -> SourceFile {
        let contents = match &reading {
            None => Ok(Documents::default()),
            Some(Err(reason)) => Err(Finding::new("", reason.clone())),
            // Whoever rewrites a file in place empties it first. Deleting it withdraws its policies.
            Some(Ok(bytes)) if bytes.trim_ascii().is_empty() && self.owns(name) => {
                Err(Finding::new("", SourceReason::Unreadable("it is empty".to_owned())))
            }
            Some(Ok(bytes)) => document::read(name, bytes),
        };
        let contents = contents.map(|mut documents| {
            // Half of an object has no kind yet. Elsewhere such a document is somebody else's.
            if documents.fragments > 0 && self.owns(name) {
                let reason = "a document of it is no object of Kubernetes".to_owned();
                documents.lost.push(Finding::new("", SourceReason::Unreadable(reason)));
            }
            documents
        });
        let lingering = match &contents {
            Ok(documents) => self.missing(name, documents),
            Err(_) => Vec::new(),
        };
        let before = self.files.get(name).map(|file| file.dependencies.as_slice());
        let dependencies = merge(before.unwrap_or_default(), contents.as_ref().ok());
        SourceFile { reading, contents, lingering, dependencies }
    }

    fn owns(&self, name: &str) -> bool {
        let has_dependencies = |file: &SourceFile| !file.dependencies.is_empty();
        self.owners.values().any(|owner| owner == name)
            || self.files.get(name).is_some_and(has_dependencies)
    }

    /// The objects of the file that are not among `documents`.
    fn missing(&self, name: &str, documents: &Documents) -> Vec<Object> {
        let there: BTreeSet<&PolicyId> =
            documents.objects.iter().map(|object| &object.id).collect();
        let was_here = |object: &&Object| object.place.as_deref() == Some(name);
        let missing = self.found.iter().filter(was_here);
        missing.filter(|object| !there.contains(&object.id)).cloned().collect()
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let mut found: BTreeMap<&PolicyId, Vec<&Object>> = BTreeMap::new();
        for (name, file) in &self.files {
            let problem = |finding: &Finding| Problem {
                place: name.clone(),
                guardrail: None,
                finding: finding.clone(),
            };
            snapshot.problems.extend(file.faults().iter().map(problem));
            let Ok(documents) = &file.contents else { continue };
            for object in &documents.objects {
                found.entry(&object.id).or_default().push(object);
            }
            snapshot.others = snapshot.others.saturating_add(documents.others);
            snapshot.problems.extend(documents.problems.iter().cloned());
        }
        self.add_dependencies(&mut snapshot);
        self.add_remembered(&mut snapshot);
        let unreadable = self.unreadable(&found);
        for object in unreadable.iter().chain(self.files.values().flat_map(|file| &file.lingering))
        {
            found.entry(&object.id).or_insert_with(|| vec![object]);
        }
        for (id, found) in found {
            self.settle(id, &found, &mut snapshot);
        }
        snapshot
    }

    /// Of several with one name the first in order of files counts.
    fn add_dependencies(&self, snapshot: &mut Snapshot) {
        let mut places: BTreeMap<(Kind, &Key), (&str, &Dependency)> = BTreeMap::new();
        let all = self.files.iter();
        let all = all.flat_map(|named| named.1.dependencies.iter().map(move |one| (named, one)));
        for ((place, file), dependency) in all {
            let Dependency { kind, key, spec } = dependency;
            let guardrail = (*kind == Kind::ClusterCorsPolicy).then_some(&key.name);
            if let Some((first, other)) = places.get(&(*kind, key)) {
                if other.spec != *spec {
                    snapshot.problems.push(duplicate(place, guardrail, &key.name, first));
                }
                continue;
            }
            places.insert((*kind, key), (place, dependency));
            let Some(name) = guardrail else {
                snapshot.origin_sets.insert(key.clone(), raw_object(spec, None));
                continue;
            };
            let written = raw_object(spec, self.remembered.get(name));
            snapshot.guardrails.insert(name.clone(), written);
            if file.keeps(dependency) {
                snapshot.problems.push(held(place, name));
            }
        }
    }

    /// Keeps the objects from before a restart while their presence is unknown.
    fn add_remembered(&self, snapshot: &mut Snapshot) {
        let Some((file, _)) = self.files.iter().find(|(_, file)| !file.faults().is_empty()) else {
            return;
        };
        for (name, spec) in &self.remembered {
            if !snapshot.guardrails.contains_key(name) {
                snapshot.guardrails.insert(name.clone(), raw_object(spec, Some(spec)));
                snapshot.problems.push(held(file, name));
            }
        }
    }

    /// The policies that are nowhere else and were in a file that cannot be understood.
    fn unreadable(&self, found: &BTreeMap<&PolicyId, Vec<&Object>>) -> Vec<Object> {
        let faults =
            |owner: &String| self.files.get(owner).map(SourceFile::faults).unwrap_or_default();
        let unseen = self.owners.iter().filter(|(id, _)| !found.contains_key(id));
        let unreadable = unseen.filter_map(|(id, owner)| {
            let faults = Some(faults(owner)).filter(|faults| !faults.is_empty())?;
            let text = Text { findings: faults.to_vec(), ..Text::default() };
            Some(Object {
                id: id.clone(),
                place: Some(owner.clone()),
                generation: None,
                text,
                record: None,
            })
        });
        unreadable.collect()
    }

    /// Of several objects with one name the established one counts, then the first in order of files.
    fn settle(&self, id: &PolicyId, found: &[&Object], snapshot: &mut Snapshot) {
        let owner = self.owners.get(id);
        let established = found.iter().find(|object| object.place.as_ref() == owner);
        let Some(winner) = established.or_else(|| found.first()) else { return };
        let file = winner.place.as_deref().unwrap_or_default();
        for challenger in found.iter().filter(|challenger| challenger.text != winner.text) {
            let place = challenger.place.as_deref().unwrap_or_default();
            snapshot.problems.push(duplicate(place, None, &id.to_string(), file));
        }
        snapshot.objects.push((*winner).clone());
    }
}

// === impl SourceFile ===

impl SourceFile {
    /// Removes the objects that the previous scan missed already.
    fn settle(&mut self) {
        self.lingering.clear();
        if let Ok(documents) = &self.contents
            && documents.lost.is_empty()
        {
            let is_there = |dependency: &Dependency| {
                documents.dependencies.iter().any(|other| is_same(dependency, other))
            };
            self.dependencies.retain(is_there);
        }
    }

    /// Is there something that it may have lost?
    fn lingers(&self) -> bool {
        let is_longer = |documents: &Documents| {
            documents.lost.is_empty() && self.dependencies.len() > documents.dependencies.len()
        };
        !self.lingering.is_empty() || self.contents.as_ref().is_ok_and(is_longer)
    }

    /// Is it kept because its fate is unknown?
    fn keeps(&self, dependency: &Dependency) -> bool {
        let contents = self.contents.as_ref();
        let is_there = contents.is_ok_and(|documents| documents.dependencies.contains(dependency));
        !is_there && !self.faults().is_empty()
    }

    /// The findings that make a file's content unknown.
    fn faults(&self) -> &[Finding] {
        match &self.contents {
            Ok(documents) => &documents.lost,
            Err(finding) => std::slice::from_ref(finding),
        }
    }
}

/// The neighbors of a text, beside those of the text before it; only those where it cannot be read.
fn merge(before: &[Dependency], documents: Option<&Documents>) -> Vec<Dependency> {
    let Some(documents) = documents else { return before.to_vec() };
    let is_missing = |known: &&Dependency| {
        !documents.dependencies.iter().any(|dependency| is_same(known, dependency))
    };
    documents.dependencies.iter().chain(before.iter().filter(is_missing)).cloned().collect()
}

fn is_same(one: &Dependency, other: &Dependency) -> bool {
    (one.kind, &one.key) == (other.kind, &other.key)
}

/// A folder counts no generations, and keeps no statuses: what held before a restart stands in the place of one.
fn raw_object(spec: &Arc<Value>, held: Option<&Arc<Value>>) -> RawObject {
    let status = held.map(|spec| {
        let in_force = Some(GuardrailInForce { generation: 0, spec: JsonText::of(spec) });
        JsonText::of(&ClusterCorsPolicyStatus { in_force, ..ClusterCorsPolicyStatus::default() })
    });
    let (uid, status) = (String::new(), status.unwrap_or_default());
    RawObject { uid, generation: 0, spec: Arc::clone(spec), status }
}

/// An object that is in `file` too, where it counts.
fn duplicate(place: &str, guardrail: Option<&String>, name: &str, file: &str) -> Problem {
    let reason = SourceReason::Duplicate { policy: name.to_owned(), file: file.to_owned() };
    let finding = Finding::new("metadata.name", reason);
    Problem { place: place.to_owned(), guardrail: guardrail.cloned(), finding }
}

/// A guardrail that holds as it was before.
fn held(file: &str, guardrail: &str) -> Problem {
    let field = format!("{GUARDRAIL_KIND}/{guardrail} spec");
    let finding = Finding::new(field, GuardrailReason::LastGoodHolds);
    Problem { place: file.to_owned(), guardrail: Some(guardrail.to_owned()), finding }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(name: &str, origin: &str) -> String {
        format!(
            "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{name: {name}}}\nspec: {{cors: {{allowOrigins: ['{origin}']}}}}\n"
        )
    }

    /// Scans a folder of these files, and draws what it found: `name@file origin`, and `file CODE`.
    #[track_caller]
    fn scan(folder: &mut Folder, files: &[(&str, &str)]) -> Vec<String> {
        draw(&folder.scan(readings(files)))
    }

    /// The same for a look.
    #[track_caller]
    fn look(folder: &mut Folder, files: &[(&str, &str)]) -> Option<Vec<String>> {
        folder.look(readings(files)).as_ref().map(draw)
    }

    fn readings(files: &[(&str, &str)]) -> BTreeMap<String, FileRead> {
        let reading = |text: &str| Ok(text.as_bytes().to_vec());
        files.iter().map(|(name, text)| ((*name).to_owned(), reading(text))).collect()
    }

    fn draw(snapshot: &Snapshot) -> Vec<String> {
        let objects = snapshot.objects.iter().map(|object| {
            let text = match object.spec() {
                Some(spec) => {
                    let spec = spec.value();
                    spec["cors"]["allowOrigins"][0].as_str().unwrap().to_owned()
                }
                None => "?".to_owned(),
            };
            format!("{}@{} {text}", object.id.name, object.place.as_ref().unwrap())
        });
        let problems = snapshot
            .problems
            .iter()
            .map(|problem| format!("{} {}", problem.place, problem.finding.code()));
        objects.chain(problems).collect()
    }

    #[test]
    fn a_text_counts_at_the_second_look_that_reads_it() {
        let mut folder = Folder::default();
        let texts = ["1", "2", "3"].map(|at| policy("a", &format!("https://{at}.example")));
        let drawn = |at| Some(vec![format!("a@a.yaml https://{at}.example")]);
        assert_eq!(look(&mut folder, &[("a.yaml", &texts[0])]), None, "one look tells nothing");
        for (why, text, want, unsure) in [
            ("two looks agree", 0, 1, false),
            ("half written, though valid", 1, 1, true),
            ("the rest of it", 2, 1, true),
            ("as it was written", 2, 3, false),
            ("half written again", 1, 3, true),
            ("and taken back", 2, 3, false),
        ] {
            assert_eq!(look(&mut folder, &[("a.yaml", &texts[text])]), drawn(want), "{why}");
            assert_eq!(folder.is_unsure(), unsure, "{why}");
        }
    }

    #[test]
    fn what_is_being_written_at_the_start_withdraws_nothing() {
        let texts = ["1", "2"].map(|at| policy("a", &format!("https://{at}.example")));
        let mut folder = Folder::default();
        scan(&mut folder, &[("a.yaml", &texts[0])]);
        let mut restarted = Folder::remembering(folder.owners.clone(), BTreeMap::new());
        assert_eq!(look(&mut restarted, &[("a.yaml", &texts[0])]), None);
        let want = ["a@a.yaml ?", "a.yaml CORS-E501"].map(str::to_owned).to_vec();
        assert_eq!(look(&mut restarted, &[("a.yaml", &texts[1])]), Some(want));
        let want = vec!["a@a.yaml https://2.example".to_owned()];
        assert_eq!(look(&mut restarted, &[("a.yaml", &texts[1])]), Some(want));
    }

    #[test]
    fn a_new_file_and_a_renamed_one_cause_no_gap() {
        let mut folder = Folder::default();
        let (one, two) = (policy("a", "https://1.example"), policy("b", "https://2.example"));
        let a = |file: &str| format!("a@{file} https://1.example");
        assert_eq!(look(&mut folder, &[("old.yaml", &one)]), None);
        assert_eq!(look(&mut folder, &[("old.yaml", &one)]), Some(vec![a("old.yaml")]));
        let files = [("b.yaml", two.as_str()), ("new.yaml", &one)];
        assert_eq!(look(&mut folder, &files), Some(vec![a("old.yaml")]));
        let b = "b@b.yaml https://2.example".to_owned();
        assert_eq!(look(&mut folder, &files), Some(vec![a("new.yaml"), b]));
    }

    #[test]
    fn a_removal_is_believed_at_the_second_look() {
        let mut folder = Folder::default();
        let text = policy("a", "https://1.example");
        assert_eq!(scan(&mut folder, &[("a.yaml", &text)]), ["a@a.yaml https://1.example"]);
        assert_eq!(scan(&mut folder, &[]), ["a@a.yaml https://1.example"]);
        assert!(folder.is_unsure());
        assert_eq!(scan(&mut folder, &[]), [""; 0]);
        assert!(!folder.is_unsure());
    }

    #[test]
    fn a_document_that_is_gone_from_its_file_is_so_at_the_second_look() {
        let mut folder = Folder::default();
        let (one, two) = (policy("a", "https://1.example"), policy("b", "https://2.example"));
        let both = format!("{one}---\n{two}");
        let want_both = ["a@a.yaml https://1.example", "b@a.yaml https://2.example"];
        assert_eq!(scan(&mut folder, &[("a.yaml", &both)]), want_both);
        for half in [&one, &format!("{one}---\n"), &both, &one] {
            assert_eq!(scan(&mut folder, &[("a.yaml", half)]), want_both, "it is being written");
        }
        assert!(folder.is_unsure());
        assert_eq!(scan(&mut folder, &[("a.yaml", &one)]), ["a@a.yaml https://1.example"]);
        assert!(!folder.is_unsure());
    }

    #[test]
    fn a_broken_file_that_is_saved_anew_was_never_gone() {
        let mut folder = Folder::default();
        let text = policy("a", "https://1.example");
        scan(&mut folder, &[("a.yaml", &text)]);
        assert_eq!(scan(&mut folder, &[("a.yaml", "spec: [")]), ["a@a.yaml ?", "a.yaml CORS-E502"]);
        assert_eq!(scan(&mut folder, &[]), ["a@a.yaml ?"]);
        assert_eq!(scan(&mut folder, &[("a.yaml", &text)]), ["a@a.yaml https://1.example"]);
    }

    #[test]
    fn a_file_that_comes_back_was_never_gone() {
        let mut folder = Folder::default();
        let text = policy("a", "https://1.example");
        for files in [&[("a.yaml", text.as_str())][..], &[], &[("a.yaml", text.as_str())], &[]] {
            assert_eq!(scan(&mut folder, files), ["a@a.yaml https://1.example"]);
        }
    }

    #[test]
    fn a_renamed_file_causes_no_gap_and_no_conflict() {
        let mut folder = Folder::default();
        let text = policy("a", "https://1.example");
        let want_old = ["a@old.yaml https://1.example"];
        assert_eq!(scan(&mut folder, &[("old.yaml", &text)]), want_old);
        assert_eq!(scan(&mut folder, &[("new.yaml", &text), ("old.yaml", &text)]), want_old);
        assert_eq!(scan(&mut folder, &[("new.yaml", &text)]), ["a@new.yaml https://1.example"]);
    }

    #[test]
    fn a_file_renamed_and_edited_at_once_causes_no_conflict() {
        let mut folder = Folder::default();
        let (one, two) = (policy("a", "https://1.example"), policy("a", "https://2.example"));
        scan(&mut folder, &[("old.yaml", &one)]);
        assert_eq!(scan(&mut folder, &[("new.yaml", &two)]), ["a@new.yaml https://2.example"]);
    }

    #[test]
    fn of_two_files_with_one_policy_the_established_one_counts() {
        let mut folder = Folder::default();
        let (one, two) = (policy("a", "https://1.example"), policy("a", "https://2.example"));
        scan(&mut folder, &[("z.yaml", &one)]);
        assert_eq!(
            scan(&mut folder, &[("b.yaml", &two), ("z.yaml", &one)]),
            ["a@z.yaml https://1.example", "b.yaml CORS-E506"],
        );
        let mut restarted = Folder::remembering(folder.owners.clone(), BTreeMap::new());
        assert_eq!(
            scan(&mut restarted, &[("b.yaml", &two), ("z.yaml", &one)]),
            ["a@z.yaml https://1.example", "b.yaml CORS-E506"],
            "across a restart too"
        );
        assert_eq!(
            scan(&mut Folder::default(), &[("b.yaml", &two), ("z.yaml", &one)]),
            ["a@b.yaml https://2.example", "z.yaml CORS-E506"],
            "among strangers the order of names decides"
        );
    }

    #[test]
    fn one_file_with_one_name_twice_is_said() {
        let text =
            [policy("a", "https://1.example"), policy("a", "https://2.example")].join("---\n");
        assert_eq!(
            scan(&mut Folder::default(), &[("a.yaml", &text)]),
            ["a@a.yaml https://1.example", "a.yaml CORS-E506"],
        );
    }

    #[test]
    fn what_a_file_held_stays_known_while_it_is_half_written() {
        let text =
            [policy("a", "https://1.example"), policy("b", "https://2.example")].join("---\n");
        for (why, half, code) in [
            ("cut in the middle", "spec: {cors: [", "CORS-E502"),
            ("emptied", "", "CORS-E501"),
            (
                "a name is not yet there",
                "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\n",
                "CORS-E505",
            ),
            ("a kind is not yet there", "apiVersion: corsward", "CORS-E501"),
            ("nor anything that is a mapping", "apiVer", "CORS-E501"),
        ] {
            let mut folder = Folder::default();
            scan(&mut folder, &[("a.yaml", &text)]);
            let want = ["a@a.yaml ?", "b@a.yaml ?", &format!("a.yaml {code}")];
            assert_eq!(scan(&mut folder, &[("a.yaml", half)]), want, "{why}");
            assert_eq!(scan(&mut folder, &[("a.yaml", half)]), want, "{why}, for long");
            let mut restarted = Folder::remembering(folder.owners.clone(), BTreeMap::new());
            assert_eq!(scan(&mut restarted, &[("a.yaml", half)]), want, "{why}, after a restart");
            assert_eq!(scan(&mut folder, &[("a.yaml", &text)]).len(), 2, "{why}, then whole again");
        }
    }

    #[test]
    fn an_empty_file_that_never_held_a_policy_is_no_problem() {
        assert_eq!(scan(&mut Folder::default(), &[("a.yaml", "")]), [""; 0]);
    }

    const SET: &str = "apiVersion: corsward.io/v1alpha1\nkind: OriginSet\nmetadata: {name: a}\nspec: {origins: ['https://a.example']}\n";
    const BOUND: &str = "apiVersion: corsward.io/v1alpha1\nkind: ClusterCorsPolicy\nmetadata: {name: a}\nspec: {guardrails: {maxMaxAge: 600}}\n";

    /// The dependencies of policies after a scan, as `name value`.
    fn dependencies(folder: &mut Folder, files: &[(&str, &str)]) -> Vec<String> {
        let snapshot = folder.scan(readings(files));
        let sets = snapshot.origin_sets.values().map(|set| set.spec["origins"][0].to_string());
        let bounds = snapshot.guardrails.values().map(|bound| bound.spec["guardrails"].to_string());
        let problems = snapshot.problems.iter().map(|problem| problem.finding.code().to_owned());
        sets.chain(bounds).chain(problems).collect()
    }

    #[test]
    fn origin_sets_and_guardrails_go_when_two_scans_in_a_row_miss_them() {
        let (set, bound) = ("\"https://a.example\"", "{\"maxMaxAge\":600}");
        let mut folder = Folder::default();
        let both = [("a.yaml", SET), ("b.yaml", BOUND)];
        assert_eq!(dependencies(&mut folder, &both), [set, bound]);
        assert_eq!(
            dependencies(&mut folder, &[("a.yaml", SET)]),
            [set, bound],
            "renaming it looks so"
        );
        assert!(folder.is_unsure());
        assert_eq!(dependencies(&mut folder, &[("a.yaml", SET)]), [set]);
        assert!(!folder.is_unsure());
        let other = SET.replace("a.example", "b.example");
        assert_eq!(dependencies(&mut folder, &[("a.yaml", &other)]), ["\"https://b.example\""]);
        let moved = [("c.yaml", SET)];
        dependencies(&mut folder, &moved);
        assert_eq!(
            dependencies(&mut folder, &moved),
            [set],
            "moved to another file, with another text"
        );
    }

    #[test]
    fn a_guardrail_of_a_file_that_cannot_be_read_stays_what_it_was() {
        let bound = "{\"maxMaxAge\":600}";
        let mut folder = Folder::default();
        assert_eq!(dependencies(&mut folder, &[("a.yaml", BOUND)]), [bound]);
        let misspelt = BOUND.replace("ClusterCorsPolicy", "ClusterCorsPolcy");
        for (text, code) in
            [("a: [", "CORS-E502"), ("", "CORS-E501"), (&misspelt, "CORS-E510"), ("a", "CORS-E501")]
        {
            for _ in 0..3 {
                let found = dependencies(&mut folder, &[("a.yaml", text)]);
                assert_eq!(found, [bound, code, "CORS-W608"], "{text}");
            }
            assert!(!folder.is_unsure(), "{text}");
        }
        let other = BOUND.replace("600", "60");
        assert_eq!(dependencies(&mut folder, &[("a.yaml", &other)]), ["{\"maxMaxAge\":60}"]);
    }

    #[test]
    fn a_guardrail_that_held_before_a_restart_holds_until_all_can_be_read() {
        let bound = "{\"maxMaxAge\":600}";
        let spec = json!({"guardrails": {"maxMaxAge": 600}});
        let restarted = || {
            Folder::remembering(BTreeMap::new(), [("a".to_owned(), Arc::new(spec.clone()))].into())
        };
        let mut folder = restarted();
        let unreadable = [bound, "CORS-E502", "CORS-W608"];
        assert_eq!(dependencies(&mut folder, &[("a.yaml", "a: [")]), unreadable);
        assert_eq!(dependencies(&mut folder, &[("a.yaml", "a: [")]), unreadable);
        assert_eq!(
            dependencies(&mut folder, &[("a.yaml", SET)]),
            ["\"https://a.example\""],
            "it is gone"
        );
        assert_eq!(
            dependencies(&mut folder, &[("a.yaml", "a: [")])[1..],
            ["CORS-E502"],
            "for good"
        );
        let refused = BOUND.replace("600", "-1");
        let snapshot = restarted().scan(readings(&[("a.yaml", &refused)]));
        assert_eq!(snapshot.guardrails["a"].status.value()["inForce"]["spec"], spec);
    }

    #[test]
    fn a_hint_about_a_neighbor_keeps_no_policy_that_was_removed() {
        let bound = BOUND.replace("{guard", "{namespaceSelector: {matchLabels: {a: b}}, guard");
        let both = [policy("a", "https://1.example"), bound.clone()].join("---\n");
        let mut folder = Folder::default();
        assert_eq!(scan(&mut folder, &[("a.yaml", &both)]).len(), 2, "the policy and the hint");
        scan(&mut folder, &[("a.yaml", &bound)]);
        assert_eq!(scan(&mut folder, &[("a.yaml", &bound)]), ["a.yaml CORS-I601"]);
    }

    #[test]
    fn of_two_sets_of_one_name_the_first_file_counts() {
        let other = SET.replace("a.example", "b.example");
        let mut folder = Folder::default();
        let found =
            dependencies(&mut folder, &[("a.yaml", SET), ("b.yaml", &other), ("c.yaml", SET)]);
        assert_eq!(found, ["\"https://a.example\"", "CORS-E506"]);
    }
}
