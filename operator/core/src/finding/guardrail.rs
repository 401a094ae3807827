//! Reasons about guardrails: what a policy exceeds, and what is wrong with a guardrail itself.

use corsward_api::v1alpha1::LabelOperator;
use corsward_policy::finding::{Danger, Explain, Place, Proposal, Quoted, Sentence, Written};

/// Reasons about guardrails.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardrailReason {
    /// A policy exceeds one.
    Exceeded {
        /// The `ClusterCorsPolicy`.
        guardrail: String,
        /// Whether it refuses, or warns.
        enforced: bool,
        /// By what.
        excess: Excess,
    },
    /// A selector that selects by nothing.
    EmptySelector,
    /// `values` that do not go with the operator: missing, or too many.
    Values(LabelOperator),
    /// Not one guardrail.
    None,
    /// A selector of namespaces whose labels are unknown: beside `dir:`, and in files without their `Namespace` objects.
    SelectorUnused,
    /// A selector that no `Namespace` of the files has the labels of.
    SelectsNothing,
    /// The text is refused or cannot be read; the one accepted before it still holds.
    LastGoodHolds,
}

/// The part of a policy that exceeds a guardrail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Excess {
    /// A pattern that no allowed one contains.
    Origin(String),
    /// A regex.
    Regex(String),
    /// A word of `dangerouslyAllow`.
    Danger(Danger),
    /// `maxAge`.
    MaxAge {
        /// The policy's value, as written.
        written: String,
        /// The limit.
        max: u32,
    },
    /// A method.
    Method(String),
    /// A request header.
    Header(String),
    /// Requests that are forwarded, though their origin is not allowed.
    Forwarded,
}

// === impl GuardrailReason ===

impl Explain for GuardrailReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::Exceeded { guardrail, enforced, excess } => {
                excess.sentence(&Quoted(guardrail), *enforced)
            }
            Self::EmptySelector => Sentence::new(
                "CORS-E608",
                "the selector is empty",
                "leave `namespaceSelector` out to mean every namespace",
            )
            .with_edit(Proposal::Remove),
            Self::Values(operator @ (LabelOperator::In | LabelOperator::NotIn)) => Sentence::new(
                "CORS-E609",
                format!("`{operator:?}` compares with `values`, and there are none"),
                "list at least one value, or write `Exists` or `DoesNotExist`",
            ),
            Self::Values(operator) => Sentence::new(
                "CORS-E610",
                format!("`{operator:?}` compares with nothing"),
                "remove `values`, or write `In` or `NotIn`",
            )
            .with_edit(Proposal::Remove),
            Self::None => Sentence::new(
                "CORS-E611",
                "there is no guardrail",
                "write at least one, such as `allowedOrigins`",
            ),
            Self::SelectorUnused => Sentence::new(
                "CORS-I601",
                "the labels of namespaces are unknown here, so the guardrail also bounds policies that the selector leaves out",
                "expect the selector to count in a cluster, or add the `Namespace` objects to the files of `corsward check`",
            ),
            Self::SelectsNothing => Sentence::new(
                "CORS-I602",
                "no `Namespace` of the files has the labels of the selector, so the guardrail bounds no policy of them",
                "correct the selector, or the labels of the Namespaces that it is for",
            ),
            Self::LastGoodHolds => Sentence::new(
                "CORS-W608",
                "the last valid guardrails stay in force",
                "correct the refusals to change it, or delete the guardrail",
            ),
        }
    }
}

// === impl Excess ===

impl Excess {
    fn sentence(&self, guardrail: &Quoted<'_>, enforced: bool) -> Sentence {
        let code = |refusal, warning| if enforced { refusal } else { warning };
        let write = |value| Proposal::Write(Place::Here, value);
        let sentence = match self {
            Self::Origin(value) => Sentence::new(
                code("CORS-E601", "CORS-W601"),
                format!(
                    "{} is in none of the origins that guardrail {guardrail} allows",
                    Quoted(value)
                ),
                "write an origin that one of its `allowedOrigins` contains",
            ),
            Self::Regex(value) => Sentence::new(
                code("CORS-E602", "CORS-W602"),
                format!("{} is a regex, and guardrail {guardrail} allows none", Quoted(value)),
                "write patterns into `allowOrigins`, such as `https://*.app.example`",
            ),
            Self::Danger(danger) => Sentence::new(
                code("CORS-E603", "CORS-W603"),
                format!("guardrail {guardrail} forbids `{}`", danger.word()),
                "remove the word, and what needs it",
            ),
            Self::MaxAge { written, max } => Sentence::new(
                code("CORS-E604", "CORS-W604"),
                format!("`{written}` is above the {max} seconds of guardrail {guardrail}"),
                format!("write `{max}` or less"),
            )
            .with_edit(write(Written::Number((*max).into()))),
            Self::Method(value) => Sentence::new(
                code("CORS-E605", "CORS-W605"),
                format!("{} is no method that guardrail {guardrail} allows", Quoted(value)),
                "remove it, or write one of its `allowedMethods`",
            ),
            Self::Header(value) => Sentence::new(
                code("CORS-E606", "CORS-W606"),
                format!("{} is no header that guardrail {guardrail} allows", Quoted(value)),
                "remove it, or write one of its `allowedHeaders`",
            ),
            Self::Forwarded => Sentence::new(
                code("CORS-E607", "CORS-W607"),
                format!("guardrail {guardrail} asks that requests of other origins be rejected"),
                "write `disallowedRequests: Reject`",
            )
            .with_edit(write(Written::text("Reject"))),
        };
        sentence.and(", or ask who owns the guardrail")
    }
}
