//! Live objects: those of a cluster, which files are laid over.

use std::collections::BTreeMap;

use corsward_operator_core::object::Record;
use corsward_policy::PolicyId;

use super::SourceFile;

/// The objects of a cluster that policies are judged by.
#[derive(Debug, Default)]
pub struct LiveObjects {
    /// The name of the cluster: its context.
    pub name: String,
    /// The objects, each a file.
    pub files: Vec<SourceFile>,
    /// What the API server keeps beside the specs of policies: when they were created, and their status.
    pub records: BTreeMap<PolicyId, Record>,
    /// The kinds whose objects are all among them, and the namespaces in which they are. Another kind may have more.
    pub listed: BTreeMap<&'static str, Listed>,
    /// The operator's switch of the whole cluster says `Off`: no policy answers.
    pub is_off: bool,
}

/// The namespaces whose objects are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// All of them.
    Everywhere,
    /// This one.
    Within(String),
}

// === impl LiveObjects ===

impl LiveObjects {
    /// Is an object of that kind and namespace that is not among these objects not in the cluster either?
    pub(super) fn lists(&self, kind: &str, namespace: &str) -> bool {
        match self.listed.get(kind) {
            None => false,
            Some(Listed::Everywhere) => true,
            Some(Listed::Within(listed)) => listed == namespace,
        }
    }
}
