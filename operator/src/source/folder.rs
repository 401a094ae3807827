//! Folder: a state machine over scans of a directory. Scans in, the policies that are there out; no IO.

use std::collections::{BTreeMap, BTreeSet};

use corsward_policy::finding::SourceReason;
use corsward_policy::{Finding, PolicyId};

use crate::object::{Object, Text};
use crate::source::Problem;
use crate::source::document::{self, Documents};

/// What is known of a directory.
#[derive(Debug, Default)]
pub struct Folder {
    files: BTreeMap<String, File>,
    /// In which file each policy was found: that file is established, any other is a challenger.
    owners: BTreeMap<PolicyId, String>,
}

/// What one scan read of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// It is there and cannot be read.
    Failed(SourceReason),
}

/// What is in the folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Its policies, each once.
    pub objects: Vec<Object>,
    /// What is wrong with its files.
    pub problems: Vec<Problem>,
}

#[derive(Debug)]
struct File {
    reading: Reading,
    contents: Result<Documents, Finding>,
    /// The last scan did not find it. Renaming and saving look like that for a moment.
    missed: bool,
}

// === impl Folder ===

impl Folder {
    /// A folder of which it is known in which file each policy was, before a restart.
    #[must_use]
    pub fn remembering(owners: BTreeMap<PolicyId, String>) -> Self {
        Self { files: BTreeMap::new(), owners }
    }

    /// Takes in what a scan read, and says what is in the folder now.
    pub fn scan(&mut self, readings: BTreeMap<String, Reading>) -> Picture {
        self.files.retain(|name, file| {
            let there = readings.contains_key(name);
            let keep = there || !file.missed;
            file.missed = !there;
            keep
        });
        for (name, reading) in readings {
            if self.files.get(&name).is_none_or(|file| file.reading != reading) {
                let file = self.parse(&name, reading);
                self.files.insert(name, file);
            }
        }
        let picture = self.picture();
        let owner = |object: &Object| Some((object.id.clone(), object.place.clone()?));
        self.owners = picture.objects.iter().filter_map(owner).collect();
        picture
    }

    /// Did the last scan miss a file? Then another one soon will tell whether it is gone.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        self.files.values().any(|file| file.missed)
    }

    fn parse(&self, name: &str, reading: Reading) -> File {
        let contents = match &reading {
            Reading::Failed(reason) => Err(Finding::new("", reason.clone())),
            // Whoever rewrites a file in place empties it first. Deleting it withdraws its policies.
            Reading::Bytes(bytes) if bytes.trim_ascii().is_empty() && self.owns(name) => {
                Err(Finding::new("", SourceReason::Unreadable("it is empty".to_owned())))
            }
            Reading::Bytes(bytes) => document::read(name, bytes),
        };
        File { reading, contents, missed: false }
    }

    fn owns(&self, name: &str) -> bool {
        self.owners.values().any(|owner| owner == name)
    }

    fn picture(&self) -> Picture {
        let mut problems = Vec::new();
        let mut found: BTreeMap<&PolicyId, Vec<&Object>> = BTreeMap::new();
        // A file that was missed holds only what is nowhere else.
        let (missed, there): (Vec<_>, Vec<_>) =
            self.files.iter().partition(|(_, file)| file.missed);
        for (name, file) in there.into_iter().chain(missed) {
            let findings = match &file.contents {
                Ok(documents) => {
                    for object in &documents.objects {
                        let found = found.entry(&object.id).or_default();
                        if found.is_empty() || !file.missed {
                            found.push(object);
                        }
                    }
                    documents.findings.clone()
                }
                Err(finding) => vec![finding.clone()],
            };
            problems.extend(
                findings.into_iter().map(|finding| Problem { place: name.clone(), finding }),
            );
        }
        let faulty: BTreeSet<String> =
            problems.iter().map(|problem: &Problem| problem.place.clone()).collect();
        let unseen = self.owners.iter().filter(|(id, owner)| {
            let place = |object: &&Object| object.place.as_ref() == Some(owner);
            faulty.contains(*owner) && !found.get(id).is_some_and(|found| found.iter().any(place))
        });
        let unseen: Vec<Object> =
            unseen.map(|(id, owner)| unreadable(id, owner, &problems)).collect();
        for object in &unseen {
            found.entry(&object.id).or_default().push(object);
        }
        let objects =
            found.into_iter().filter_map(|(id, found)| self.settle(id, &found, &mut problems));
        let objects = objects.collect();
        Picture { objects, problems }
    }

    /// Of several objects with one name the established one counts, then the first in order of files.
    fn settle(
        &self,
        id: &PolicyId,
        found: &[&Object],
        problems: &mut Vec<Problem>,
    ) -> Option<Object> {
        let owner = self.owners.get(id);
        let established = found.iter().find(|object| object.place.as_ref() == owner);
        let winner = *established.or_else(|| found.first())?;
        let file = winner.place.clone().unwrap_or_default();
        for challenger in found.iter().filter(|challenger| challenger.text != winner.text) {
            let reason = SourceReason::Duplicate { policy: id.to_string(), file: file.clone() };
            let place = challenger.place.clone().unwrap_or_default();
            problems.push(Problem { place, finding: Finding::new("metadata.name", reason) });
        }
        Some(winner.clone())
    }
}

/// A policy known to be in a file that cannot be understood.
fn unreadable(id: &PolicyId, place: &str, problems: &[Problem]) -> Object {
    let findings = problems.iter().filter(|problem| problem.place == place);
    let findings = findings.map(|problem| problem.finding.clone()).collect();
    let text = Text::Unreadable(findings);
    Object { id: id.clone(), place: Some(place.to_owned()), generation: None, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, origin: &str) -> String {
        format!(
            "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{name: {name}}}\nspec: {{cors: {{allowOrigins: ['{origin}']}}}}\n"
        )
    }

    /// Scans a folder of these files, and draws what it found: `name@file origin`, and `file CODE`.
    #[track_caller]
    fn scan(folder: &mut Folder, files: &[(&str, &str)]) -> Vec<String> {
        let readings = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Reading::Bytes(text.as_bytes().to_vec())));
        let picture = folder.scan(readings.collect());
        let objects = picture.objects.iter().map(|object| {
            let text = match &object.text {
                Text::Spec { spec, .. } => spec["cors"]["allowOrigins"][0].as_str().unwrap(),
                Text::Unreadable(_) => "?",
            };
            format!("{}@{} {text}", object.id.name, object.place.as_ref().unwrap())
        });
        let problems = picture
            .problems
            .iter()
            .map(|problem| format!("{} {}", problem.place, problem.finding.code()));
        objects.chain(problems).collect()
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
        let mut restarted = Folder::remembering(folder.owners.clone());
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
        ] {
            let mut folder = Folder::default();
            scan(&mut folder, &[("a.yaml", &text)]);
            let want = ["a@a.yaml ?", "b@a.yaml ?", &format!("a.yaml {code}")];
            assert_eq!(scan(&mut folder, &[("a.yaml", half)]), want, "{why}");
            let mut restarted = Folder::remembering(folder.owners.clone());
            assert_eq!(scan(&mut restarted, &[("a.yaml", half)]), want, "{why}, after a restart");
            assert_eq!(scan(&mut folder, &[("a.yaml", &text)]).len(), 2, "{why}, then whole again");
        }
    }

    #[test]
    fn an_empty_file_that_never_held_a_policy_is_no_problem() {
        assert_eq!(scan(&mut Folder::default(), &[("a.yaml", "")]), [""; 0]);
    }
}
