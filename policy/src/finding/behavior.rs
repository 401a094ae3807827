//! Reasons about how a policy treats requests, and whether it does anything at all.

use super::quoted::Quoted;
use super::{Explain, Place, Proposal, Reason, Sentence, Written};

/// Reasons about the treatment of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BehaviorReason {
    /// Neither `cors` nor `rules`.
    NothingToDo,
    /// A success status that is neither 200 nor 204.
    SuccessStatus(String),
    /// A name that no Kubernetes object can have.
    InvalidName(String),
    /// A name that no namespace can have.
    InvalidNamespace(String),
    /// `Reject` without `hostnames`.
    RejectWithoutHostnames,
    /// `Reject` over a block that answers a static `*`, and the place of a word in its stead.
    RejectUnderAnyOrigin(Place),
    /// `Keep`, while preflights are answered here.
    KeepWithoutForward,
    /// `onFailure: Forward`, while the upstream's headers are replaced.
    ForwardWithReplace,
    /// `Reject` stops when the filter does.
    RejectFailsOpen,
    /// `trustedOrigins` where nothing is rejected.
    TrustedOriginsUnused,
    /// `Reject` on every path, the one that an identity provider posts to included.
    RejectWithoutSignIn,
    /// `upstreamOrigin: Remove`, with everything behind the proxy that compares `Origin`.
    OriginIsMissed,
    /// `upstreamOrigin: Remove` beside `upstreamCorsHeaders: Keep`.
    NothingToKeep,
    /// `upstreamOrigin: Remove` in a `DryRun` policy.
    RehearsedRemoval,
    /// A refusal that is younger than the text: an earlier release accepted it.
    AcceptedEarlier(Reason),
}

// === impl BehaviorReason ===

impl Explain for BehaviorReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::NothingToDo => Sentence::new(
                "CORS-E001",
                "the policy has neither `cors` nor `rules`",
                "write `cors` with the origins of your front ends in `allowOrigins`",
            ),
            Self::SuccessStatus(value) => Sentence::write(
                "CORS-E005",
                format!("`{value}` is not a status for a preflight that passes"),
                Written::Number(204),
            )
            .and(", or `200` for clients that know no other")
            .with_edit(Proposal::Write(Place::Here, Written::Number(200))),
            Self::InvalidName(value) => no_object_name(value),
            Self::InvalidNamespace(value) => no_namespace_name(value),
            Self::RejectWithoutHostnames => Sentence::new(
                "CORS-W001",
                "without `hostnames` DNS rebinding makes any site the same origin, and `Reject` lets it pass",
                "list the hosts that clients use in `hostnames`, and route no other host in the proxy",
            ),
            Self::RejectUnderAnyOrigin(place) => Sentence::new(
                "CORS-W002",
                "under `*` without credentials `Reject` rejects only WebSocket handshakes that carry credentials",
                "name the origins in `allowOrigins`, or write `disallowedRequests: Forward`",
            )
            .with_edit(write(place.clone(), "Forward")),
            Self::KeepWithoutForward => keep_without_forward(),
            Self::ForwardWithReplace => forward_with_replace(),
            Self::RejectFailsOpen => Sentence::new(
                "CORS-I004",
                "`Reject` is a second fence: where the filter is dead, rejection stops and requests pass",
                "keep the application's own CSRF defence",
            ),
            Self::TrustedOriginsUnused => trusted_origins_unused(),
            Self::RejectWithoutSignIn => Sentence::new(
                "CORS-I007",
                "`Reject` covers every path, and an identity provider may post a sign-in back with `Origin: null`, which `trustedOrigins` cannot name",
                "add a rule with `disallowedRequests: Forward` for the path that receives such posts, if there is one",
            ),
            Self::OriginIsMissed => origin_is_missed(),
            Self::NothingToKeep => nothing_to_keep(),
            Self::RehearsedRemoval => rehearsed_removal(),
            Self::AcceptedEarlier(refusal) => {
                let Sentence { code, matter, fix, edits } = refusal.sentence();
                let sentence = Sentence::new(
                    "CORS-W531",
                    format!(
                        "an earlier release accepted this, and an edit would be refused as {code}: {matter}"
                    ),
                    fix,
                );
                Sentence { edits, ..sentence }
            }
        }
    }
}

fn keep_without_forward() -> Sentence {
    Sentence::new(
        "CORS-W003",
        "`Keep` leaves CORS to the upstream, but preflights that fail here never reach it",
        "write `preflight: {onFailure: Forward}`, or `upstreamCorsHeaders: Replace`",
    )
    .with_edit(write(Place::in_spec("preflight.onFailure"), "Forward"))
    .with_edit(write(Place::in_spec("upstreamCorsHeaders"), "Replace"))
}

fn forward_with_replace() -> Sentence {
    Sentence::new(
                "CORS-W004",
                "`Replace` strips the upstream's answer to a forwarded preflight, so that it fails all the same",
                "write `upstreamCorsHeaders: Keep`, or `onFailure: Explain`",
            )
            .with_edit(write(Place::in_spec("upstreamCorsHeaders"), "Keep"))
            .with_edit(write(Place::in_spec("preflight.onFailure"), "Explain"))
}

fn trusted_origins_unused() -> Sentence {
    Sentence::new(
        "CORS-I005",
        "`trustedOrigins` mean something only where requests are rejected",
        "write `disallowedRequests: Reject`, or leave `trustedOrigins` out",
    )
    .with_edit(write(Place::beside("disallowedRequests"), "Reject"))
    .with_edit(Proposal::Remove)
}

fn rehearsed_removal() -> Sentence {
    Sentence::new(
        "CORS-I006",
        "`DryRun` forwards requests as they came, with their `Origin`",
        "write `mode: Active` once the policy is to be enforced",
    )
    .with_edit(write(Place::in_spec("mode"), "Active"))
}

fn origin_is_missed() -> Sentence {
    Sentence::new(
        "CORS-W007",
        "allowed requests carry no `Origin` to CSRF checks (Django, Go's `http.CrossOriginProtection`, SvelteKit, server actions of Next.js and Remix) and WebSocket servers, which refuse them or let them in",
        "add a rule with `upstreamOrigin: Keep` for the paths of such checks and servers, if there are any",
    )
}

fn nothing_to_keep() -> Sentence {
    Sentence::new(
        "CORS-W008",
        "an upstream that sees no `Origin` sends no CORS headers of its own, so that there is nothing for `upstreamCorsHeaders: Keep` to keep",
        "write `upstreamOrigin: Keep`, or `upstreamCorsHeaders: Replace`",
    )
    .with_edit(write(Place::Here, "Keep"))
    .with_edit(write(Place::in_spec("upstreamCorsHeaders"), "Replace"))
}

fn write(place: Place, word: &str) -> Proposal {
    Proposal::Write(place, Written::text(word))
}

fn no_object_name(name: &str) -> Sentence {
    Sentence::new(
        "CORS-E006",
        format!("{} is not a name for a Kubernetes object", Quoted(name)),
        "use at most 253 of the characters `a-z`, `0-9`, `-` and `.`, and a letter or digit at both ends and beside each `.`",
    )
}

fn no_namespace_name(name: &str) -> Sentence {
    Sentence::new(
        "CORS-E007",
        format!("{} is not a name for a namespace", Quoted(name)),
        "use at most 63 of the characters `a-z`, `0-9` and `-`, and a letter or digit at both ends",
    )
}
