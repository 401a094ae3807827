//! Reasons about the file or object that a policy is read from.

use corsward_policy::finding::{Explain, OneLine, Quoted, Sentence, Written};

/// Reasons about the source of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceReason {
    /// It cannot be read.
    Unreadable(String),
    /// It is no YAML.
    NotYaml(String),
    /// It is no YAML, and holds a template of Helm.
    Template(String),
    /// A star without quotes, which begins an alias in YAML.
    AliasStar {
        /// The line, from 1.
        line: u64,
        /// The star, and what follows it.
        written: String,
    },
    /// It can be read, and is not what this operator takes.
    NotTaken {
        /// The fault.
        what: String,
        /// The fix.
        fix: &'static str,
    },
    /// No `metadata.name`.
    MissingName,
    /// A `ClusterCorsPolicy` with a namespace.
    InNamespace,
    /// A second file has a policy of the same namespace and name.
    Duplicate {
        /// `namespace/name`.
        policy: String,
        /// The file that counts.
        file: String,
    },
    /// An `apiVersion` of `corsward.io` that this operator does not know.
    UnknownVersion(String),
    /// A file beyond the bound.
    TooLarge {
        /// Its length in bytes.
        len: u64,
        /// The longest that is read.
        max: u64,
    },
}

/// The code of a text that is no YAML.
const NOT_YAML: &str = "CORS-E502";

fn not_yaml(message: &str) -> String {
    format!("it is not YAML ({})", OneLine(message))
}

// === impl SourceReason ===

impl Explain for SourceReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::Unreadable(message) => Sentence::new(
                "CORS-E501",
                format!("it cannot be read ({})", OneLine(message)),
                "check that it exists and who may read it",
            ),
            Self::Template(message) => Sentence::new(
                NOT_YAML,
                not_yaml(message),
                "render the template first, such as by `helm template`",
            ),
            Self::NotYaml(message) => Sentence::new(
                NOT_YAML,
                not_yaml(message),
                "correct that line: most often it is indentation, a quote, or a key that is there twice",
            ),
            Self::AliasStar { line, written } => Sentence::new(
                "CORS-E515",
                format!("line {line}: {} without quotes is an alias of YAML", Quoted(written)),
                format!("write {}", Quoted(&format!("\"{written}\""))),
            ),
            Self::NotTaken { what, fix } => {
                Sentence::new("CORS-E514", format!("it is not taken ({})", OneLine(what)), *fix)
            }
            Self::MissingName => {
                Sentence::new("CORS-E505", "the object has no name", "write `metadata: {name: …}`")
            }
            Self::InNamespace => Sentence::remove(
                "CORS-W609",
                "a `ClusterCorsPolicy` is in no namespace, and bounds the policies of others too",
            )
            .and(", and select the namespaces that it is for in `spec.namespaceSelector`"),
            Self::Duplicate { policy, file } => Sentence::new(
                "CORS-E506",
                format!("{} is in {} too, and that one counts", Quoted(policy), Quoted(file)),
                "remove one of them, or give it a different name",
            ),
            Self::UnknownVersion(value) => Sentence::write(
                "CORS-E507",
                format!("{} is a version that this operator does not know", Quoted(value)),
                Written::text("corsward.io/v1alpha1"),
            ),
            Self::TooLarge { len, max } => Sentence::new(
                "CORS-E508",
                format!("it has {len} bytes, and at most {max} are read"),
                "split it into several files",
            ),
        }
    }
}
