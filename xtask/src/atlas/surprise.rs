//! Surprises: habits that break migrations, each with the implementations whose answers show it.

use super::answer::{Answer, Answers};
use super::cell::{Access, access, has_lists, origins, probe, varies_by};

/// A habit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surprise {
    probe: &'static str,
    pub(super) grade: Grade,
    /// The habit, and its consequence.
    pub(super) text: &'static str,
    shows: fn(&Seen<'_>) -> bool,
}

/// The grade of a habit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    /// Most have it, or it is as good as another.
    Usual,
    /// It works, and not as the settings say.
    Odd,
    /// It opens data to other sites, or breaks pages.
    Harmful,
}

/// The answer of an implementation to the probe of a habit.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    probe: &'static str,
    answer: Option<&'a Answer>,
}

/// The usual treatment of a foreign origin, which the Fetch standard leaves to the server.
pub(super) const FOREIGN_RUNS: Surprise = Surprise {
    probe: "P4",
    grade: Grade::Usual,
    text: "The handler runs for a foreign origin, and the page alone does not see the answer (P4). A `POST` without a preflight has happened",
    shows: |seen| seen.answer.is_some_and(|answer| answer.ran),
};

/// All other habits.
pub(super) const SURPRISES: [Surprise; 22] = [
    Surprise {
        probe: "P4",
        grade: Grade::Harmful,
        text: "The handler runs for a foreign origin, and the client is told that it failed (P4)",
        shows: |seen| seen.answer.is_some_and(|answer| answer.ran && answer.is_error()),
    },
    Surprise {
        probe: "P4",
        grade: Grade::Harmful,
        text: "A request of a foreign origin is refused before the handler (P4). Left on behind a proxy, the layer refuses origins that only the proxy knows",
        shows: |seen| seen.answer.is_some_and(|answer| !answer.ran && answer.is_error()),
    },
    Surprise {
        probe: "P10",
        grade: Grade::Harmful,
        text: "The setting for any origin echoes each origin with credentials (P10): every site acts with the cookies of its visitors",
        shows: |seen| seen.access() == Access::Credentialed,
    },
    Surprise {
        probe: "P11",
        grade: Grade::Harmful,
        text: "The setting for any origin echoes `null` with credentials (P11): every sandboxed frame acts with the cookies of its visitors",
        shows: |seen| seen.access() == Access::Credentialed,
    },
    Surprise {
        probe: "P10",
        grade: Grade::Odd,
        text: "The setting for any origin sends `*` with credentials (P10), which a browser refuses as soon as the request has cookies",
        shows: |seen| seen.access() == Access::Anonymous,
    },
    Surprise {
        probe: "P10",
        grade: Grade::Usual,
        text: "The setting for any origin, with credentials, is refused at the start (P10)",
        shows: |seen| seen.answer.is_some_and(|answer| answer.status.is_none()),
    },
    Surprise {
        probe: "P10",
        grade: Grade::Odd,
        text: "The setting for any origin, with credentials, starts, and then requests fail with 500 (P10)",
        shows: |seen| seen.answer.is_some_and(|answer| answer.status == Some(500)),
    },
    Surprise {
        probe: "P15",
        grade: Grade::Harmful,
        text: "A header of the application is doubled (P15), and a browser refuses two lines",
        shows: |seen| seen.answer.is_some_and(|answer| origins(answer) > 1),
    },
    Surprise {
        probe: "P15",
        grade: Grade::Odd,
        text: "`*` of the application stands in the place of the layer's origin (P15), and requests with cookies fail",
        shows: |seen| {
            seen.access() != Access::Credentialed
                && seen.answer.is_some_and(|answer| origins(answer) == 1)
        },
    },
    Surprise {
        probe: "P14",
        grade: Grade::Harmful,
        text: "A response that is shared with one origin has no `Vary: Origin` (P14): a shared cache gives it to another",
        shows: |seen| seen.answer.is_some_and(|answer| !varies_by(answer, "origin")),
    },
    Surprise {
        probe: "P14",
        grade: Grade::Harmful,
        text: "The application's own `Vary` is lost (P14)",
        shows: |seen| seen.answer.is_some_and(|answer| !varies_by(answer, "accept-encoding")),
    },
    Surprise {
        probe: "P5",
        grade: Grade::Odd,
        text: "A request without `Origin` gets the configured origin (P5), as if it were a constant",
        shows: |seen| seen.answer.is_some_and(|answer| origins(answer) > 0),
    },
    Surprise {
        probe: "P6",
        grade: Grade::Harmful,
        text: "The page cannot read an error of the application (P6)",
        shows: |seen| seen.access() == Access::Refused,
    },
    Surprise {
        probe: "P7",
        grade: Grade::Odd,
        text: "The page cannot read a 404 (P7)",
        shows: |seen| seen.access() == Access::Refused,
    },
    Surprise {
        probe: "P2",
        grade: Grade::Odd,
        text: "Any method passes a preflight (P2), whatever is listed",
        shows: |seen| seen.access() != Access::Refused,
    },
    Surprise {
        probe: "P3",
        grade: Grade::Odd,
        text: "Any request header passes a preflight (P3), whatever is listed",
        shows: |seen| seen.access() != Access::Refused,
    },
    Surprise {
        probe: "P1",
        grade: Grade::Usual,
        text: "A preflight that fails still lists what is allowed (P1): only `Access-Control-Allow-Origin` tells",
        shows: |seen| seen.access() == Access::Refused && seen.answer.is_some_and(has_lists),
    },
    Surprise {
        probe: "P8",
        grade: Grade::Odd,
        text: "An `OPTIONS` that is no preflight is answered as one (P8), and the application never sees it",
        shows: |seen| {
            seen.answer.is_some_and(|answer| !answer.ran && !answer.is_error() && has_lists(answer))
        },
    },
    Surprise {
        probe: "P8",
        grade: Grade::Odd,
        text: "An `OPTIONS` that is no preflight is refused (P8), and the application never sees it",
        shows: |seen| {
            seen.answer
                .is_some_and(|answer| !answer.ran && matches!(answer.status, Some(400 | 403)))
        },
    },
    Surprise {
        probe: "P9",
        grade: Grade::Odd,
        text: "A preflight fails for a header name in another case or order (P9)",
        shows: |seen| seen.access() == Access::Refused,
    },
    Surprise {
        probe: "P17",
        grade: Grade::Odd,
        text: "Access to a private network is granted without a setting for it (P17)",
        shows: |seen| {
            let granted = |answer: &Answer| answer.value("access-control-allow-private-network");
            seen.answer.and_then(granted).is_some_and(|value| value == "true")
        },
    },
    Surprise {
        probe: "P4",
        grade: Grade::Usual,
        text: "The response to a foreign origin still has `Access-Control-Allow-Credentials: true` (P4). A proxy that adds a line of its own makes two of them, \
               and a browser refuses two",
        shows: |seen| {
            let sent = |answer: &Answer| answer.value("access-control-allow-credentials");
            seen.answer.and_then(sent).is_some()
        },
    },
];

// === impl Surprise ===

impl Surprise {
    /// The implementations that show it.
    pub(super) fn shown_by<'a>(&self, all: &'a [Answers]) -> Vec<&'a str> {
        let shows = all.iter().filter(|answers| self.is_shown_by(answers));
        shows.map(|answers| answers.head.implementation.as_str()).collect()
    }

    fn is_shown_by(&self, answers: &Answers) -> bool {
        (self.shows)(&Seen { probe: self.probe, answer: answers.by_probe.get(self.probe) })
    }
}

/// The worst grade of an answer.
pub(super) fn grade(answers: &Answers, probe: &str) -> Grade {
    let shown = SURPRISES.iter().filter(|it| it.probe == probe && it.is_shown_by(answers));
    shown.map(|surprise| surprise.grade).max().unwrap_or(Grade::Usual)
}

// === impl Seen ===

impl Seen<'_> {
    fn access(&self) -> Access {
        match (probe(self.probe), self.answer) {
            (Some(probe), Some(answer)) => access(probe, answer),
            _ => Access::Refused,
        }
    }
}
