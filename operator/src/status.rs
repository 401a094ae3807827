//! Status: what there is to say about a policy, as a value. The plan computes it; others write and show it.

use corsward_policy::draft::Mode;
use corsward_policy::{Finding, PolicyId, Severity, finding};

use crate::index::{Entry, InForce};

/// What the status of a policy should say.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Whose.
    pub policy: PolicyId,
    /// Of which generation of its spec it speaks.
    pub observed_generation: i64,
    /// In the order of [`ConditionType`].
    pub conditions: [Condition; 3],
    /// What the proxies run of it.
    pub in_force: Option<InForce>,
    /// The digest of the configuration that holds it.
    pub digest: Option<String>,
    /// Every finding.
    pub findings: Vec<Finding>,
    /// The policy that wins in its place.
    pub overridden_by: Option<PolicyId>,
}

/// One condition (GEP-713). When it last flipped is for its writer to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What it is about.
    pub kind: ConditionType,
    /// Whether it holds.
    pub holds: bool,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, in a sentence.
    pub message: String,
}

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// Is the policy as written valid?
    Accepted,
    /// Is the policy as written in force?
    Programmed,
    /// Do its targets exist?
    ResolvedRefs,
}

/// Why a condition holds or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is valid.
    Accepted,
    /// A finding refuses it.
    Invalid,
    /// It is in force.
    Programmed,
    /// It will be in force when publishing succeeds.
    Reconciling,
    /// Another policy wins wherever it applies.
    Overridden,
    /// Its mode is `Off`.
    Off,
    /// The configuration it belongs to cannot be published.
    NotPublishable,
    /// Nothing is missing.
    ResolvedRefs,
}

/// What the plan knows of a policy beyond its entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Circumstances {
    /// What the proxies run of it.
    pub(crate) in_force: Option<InForce>,
    /// The digest of the configuration that holds it.
    pub(crate) digest: Option<String>,
    /// Why not everything that is wanted is published.
    pub(crate) held: Option<String>,
    /// The policy that wins in its place.
    pub(crate) overridden_by: Option<PolicyId>,
    /// What is said about it beside its review.
    pub(crate) findings: Vec<Finding>,
}

// === impl Status ===

impl Status {
    /// The status of a policy, under these circumstances.
    pub(crate) fn of(entry: &Entry, circumstances: Circumstances) -> Self {
        let Circumstances { in_force, digest, held, overridden_by, mut findings } = circumstances;
        findings.extend(entry.review.findings.iter().cloned());
        finding::sort(&mut findings);
        let accepted = accepted(entry);
        let programmed = programmed(entry, in_force.as_ref(), held, overridden_by.as_ref());
        let resolved = Condition {
            kind: ConditionType::ResolvedRefs,
            holds: true,
            reason: Reason::ResolvedRefs,
            message: "nothing is referred to that could be missing".to_owned(),
        };
        Self {
            policy: entry.object.id.clone(),
            observed_generation: entry.generation,
            conditions: [accepted, programmed, resolved],
            digest: in_force.as_ref().and(digest),
            in_force,
            findings,
            overridden_by,
        }
    }

    /// The condition of that type.
    #[must_use]
    pub fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Does the condition of that type hold?
    #[must_use]
    pub fn holds(&self, kind: ConditionType) -> bool {
        self.condition(kind).is_some_and(|condition| condition.holds)
    }

    /// Is an older spec in force than the one that is written?
    #[must_use]
    pub fn is_last_good(&self) -> bool {
        !self.holds(ConditionType::Accepted) && self.in_force.is_some()
    }

    /// Is it left out of what is published, though it is accepted?
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        let programmed = self.condition(ConditionType::Programmed);
        programmed.is_some_and(|condition| condition.reason == Reason::NotPublishable)
    }

    /// Is there nothing to tell an author who has read `other`? A change elsewhere changes the digest only.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.observed_generation == other.observed_generation
            && self.conditions == other.conditions
            && self.findings == other.findings
    }

    /// The same status while nothing is published.
    pub(crate) fn hold_back(&mut self, why: &str) {
        let is_accepted = self.holds(ConditionType::Accepted);
        (self.in_force, self.digest) = (None, None);
        let [_, programmed, _] = &mut self.conditions;
        if is_accepted {
            programmed.holds = false;
            programmed.reason = Reason::NotPublishable;
            why.clone_into(&mut programmed.message);
        }
    }

    /// The same status while publishing fails.
    pub(crate) fn unpublished(
        &mut self,
        error: &str,
        in_force: Option<InForce>,
        digest: Option<&str>,
    ) {
        self.digest = in_force.as_ref().and(digest).map(str::to_owned);
        self.in_force = in_force;
        let [_, programmed, _] = &mut self.conditions;
        if programmed.holds {
            programmed.holds = false;
            programmed.reason = Reason::Reconciling;
            programmed.message = format!("publishing is tried again: {error}");
        }
    }
}

// === impl ConditionType ===

impl ConditionType {
    /// Its name in a status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Programmed => "Programmed",
            Self::ResolvedRefs => "ResolvedRefs",
        }
    }
}

// === impl Reason ===

impl Reason {
    /// Its name in a status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Invalid => "Invalid",
            Self::Programmed => "Programmed",
            Self::Reconciling => "Reconciling",
            Self::Overridden => "Overridden",
            Self::Off => "Off",
            Self::NotPublishable => "NotPublishable",
            Self::ResolvedRefs => "ResolvedRefs",
        }
    }
}

fn accepted(entry: &Entry) -> Condition {
    let kind = ConditionType::Accepted;
    if entry.is_accepted() {
        let message = "the policy is valid".to_owned();
        return Condition { kind, holds: true, reason: Reason::Accepted, message };
    }
    let refusals: Vec<&Finding> = entry
        .review
        .findings
        .iter()
        .filter(|finding| finding.severity() == Severity::Refusal)
        .collect();
    let message = match refusals.as_slice() {
        [] => "the policy is refused".to_owned(),
        [one] => one.to_string(),
        [first, others @ ..] => format!("{first}; and {} more", others.len()),
    };
    Condition { kind, holds: false, reason: Reason::Invalid, message }
}

fn programmed(
    entry: &Entry,
    in_force: Option<&InForce>,
    held: Option<String>,
    overridden_by: Option<&PolicyId>,
) -> Condition {
    let kind = ConditionType::Programmed;
    let is_current = in_force.is_some_and(|in_force| in_force.generation == entry.generation);
    let instead = match in_force {
        Some(in_force) if in_force.policy.mode() == Mode::Off => {
            format!("generation {}, in force before, is switched off", in_force.generation)
        }
        Some(in_force) => format!("generation {} is still in force", in_force.generation),
        None => "nothing of it is in force".to_owned(),
    };
    let mode = in_force.map(|in_force| in_force.policy.mode());
    let (holds, reason, message) = match (held, overridden_by, mode) {
        _ if !entry.is_accepted() => {
            (false, Reason::Invalid, format!("the policy is refused; {instead}"))
        }
        (Some(why), _, _) if !is_current => {
            (false, Reason::NotPublishable, format!("{why}; {instead}"))
        }
        (_, Some(winner), _) => {
            (false, Reason::Overridden, format!("{winner} wins wherever the policy applies"))
        }
        (_, _, Some(Mode::Off)) => (false, Reason::Off, "the mode is Off".to_owned()),
        (_, _, Some(Mode::DryRun)) => {
            (true, Reason::Programmed, "the policy is judged and counted, not enforced".to_owned())
        }
        _ => (true, Reason::Programmed, "the policy is in force".to_owned()),
    };
    Condition { kind, holds, reason, message }
}
