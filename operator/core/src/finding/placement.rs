//! Reasons about a policy's targets and neighbours, and about what is in force.

use corsward_policy::finding::{Explain, Place, Proposal, Quoted, Sentence, Written};

/// Reasons about the place of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlacementReason {
    /// `targetRefs` beside `selector`.
    TwoTargets,
    /// A target of a kind that a policy cannot have.
    UnknownTarget {
        /// Its group and kind.
        target: String,
        /// The intended target, if it is recognized.
        instead: TargetInstead,
    },
    /// A target's name with a namespace before it.
    OtherNamespace(String),
    /// A name that no object of the target's kind can have.
    ImpossibleName {
        /// The name as written.
        name: String,
        /// The name that was probably meant.
        meant: Option<String>,
    },
    /// A Service's port by its number.
    PortNumber(String),
    /// A section's name that no port and no listener can have.
    ImpossibleSection {
        /// The name as written.
        section: String,
        /// The name that was probably meant.
        meant: Option<String>,
    },
    /// The text is refused; the one accepted before it is still in force.
    LastGoodInForce,
    /// Targets beside `dir:`, where there is one proxy.
    TargetsUnused,
    /// A further policy wins everywhere.
    Overridden(String),
    /// Rules alone, which keep a second policy from the paths beside them.
    SwitchesOff {
        /// The other policy.
        other: String,
        /// Is it the target that is closer, rather than the hostname that is narrower?
        by_target: bool,
    },
    /// The namespace's annotation `corsward.io/mode` says something that means nothing.
    UnknownNamespaceMode(String),
    /// The same annotation says `Off`, in the files of `corsward check`.
    NamespaceOff,
    /// More findings than a status holds.
    CutOff {
        /// Their number.
        count: usize,
        /// The number of them in the status.
        shown: usize,
    },
}

/// The intended target in place of an impossible one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetInstead {
    /// The same with this value of that field.
    Write(&'static str, &'static str),
    /// An advice.
    Advice(&'static str),
}

// === impl TargetInstead ===

impl TargetInstead {
    fn sentence(self, target: &str) -> Sentence {
        let matter = format!("{} cannot be a policy's target", Quoted(target));
        let sentence = |fix: String| Sentence::new("CORS-E522", matter, fix);
        match self {
            Self::Write(field, value) => {
                let value = Written::text(value);
                let fix = format!("write {}", Quoted(&format!("{field}: {value}")));
                sentence(fix).with_edit(Proposal::Write(Place::within(field), value))
            }
            Self::Advice(advice) => sentence(advice.to_owned()),
        }
    }
}

/// The code of a target's name.
const TARGET_NAME: &str = "CORS-E529";

/// The code of a section's name.
const SECTION_NAME: &str = "CORS-E530";

fn port_number(section: &str) -> Sentence {
    Sentence::new(
        SECTION_NAME,
        format!(
            "{} is not what a port is called: the `sectionName` of a Service is the name of a port, not its number",
            Quoted(section)
        ),
        "write the name that the Service gives it, such as `http`",
    )
}

/// A name that Kubernetes takes for no object.
fn impossible(code: &'static str, name: &str, meant: Option<&str>) -> Sentence {
    let matter = format!(
        "{} is no name that Kubernetes accepts for it, so that nothing matches",
        Quoted(name)
    );
    match meant {
        Some(meant) => Sentence::write(code, matter, Written::text(meant)),
        None if code == TARGET_NAME => Sentence::new(
            code,
            matter,
            "write the name of the Service or the Gateway, or no `targetRefs` for the whole namespace",
        ),
        None => Sentence::new(
            code,
            matter,
            "write the name of the port or the listener, such as `http`",
        ),
    }
}

fn switches_off(other: &str, by_target: bool) -> Sentence {
    Sentence::new(
        "CORS-W541",
        format!(
            "beside these rules {} does not apply any more, because the policy {} decides alone",
            Quoted(other),
            if by_target { "of the closer target" } else { "of the narrower hostname" },
        ),
        "write `spec.cors` for the other paths too, with what is to hold there",
    )
}

// === impl PlacementReason ===

impl Explain for PlacementReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::TwoTargets => Sentence::new(
                "CORS-E521",
                "`targetRefs` and `selector` are both there",
                "keep one of them, or neither for the whole namespace",
            ),
            Self::UnknownTarget { target, instead } => instead.sentence(target),
            Self::OtherNamespace(name) => Sentence::write(
                TARGET_NAME,
                format!("{} is no name: a target is of the policy's own namespace", Quoted(name)),
                Written::text(name.rsplit('/').next().unwrap_or_default()),
            ),
            Self::ImpossibleName { name, meant } => impossible(TARGET_NAME, name, meant.as_deref()),
            Self::ImpossibleSection { section, meant } => {
                impossible(SECTION_NAME, section, meant.as_deref())
            }
            Self::PortNumber(section) => port_number(section),
            Self::LastGoodInForce => Sentence::new(
                "CORS-W522",
                "the last valid spec stays in force",
                "correct the refusals to change it, or delete the policy",
            ),
            Self::TargetsUnused => Sentence::new(
                "CORS-I521",
                "with `dir:` every policy applies to the one proxy, with any target",
                "expect the target to count once the policy is in a cluster",
            ),
            Self::Overridden(winner) => Sentence::new(
                "CORS-I522",
                format!("{} wins wherever this policy applies", Quoted(winner)),
                "remove one of them, or give this one a narrower scope",
            ),
            Self::SwitchesOff { other, by_target } => switches_off(other, *by_target),
            Self::UnknownNamespaceMode(word) => Sentence::new(
                "CORS-W535",
                format!(
                    "the namespace's annotation `corsward.io/mode` says {}, which means nothing",
                    Quoted(word)
                ),
                "write `Off` to enforce no policy of the namespace, or remove the annotation",
            ),
            Self::NamespaceOff => Sentence::new(
                "CORS-I542",
                "the namespace's annotation `corsward.io/mode` says `Off`, so the policy is not in force",
                "remove the annotation to put the policies of the namespace in force",
            ),
            Self::CutOff { count, shown } => Sentence::new(
                "CORS-W536",
                format!("there are {count} findings, and the first {shown} of them stand here"),
                "correct these first, and the others show",
            ),
        }
    }
}
