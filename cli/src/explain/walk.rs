//! Walk: the steps of a browser, from the page's request to the response that the page reads or not.

use corsward_browser::obstacle::obstacles;
use corsward_browser::plan::PlannedPreflight;
use corsward_browser::readable::readable_headers;
use corsward_browser::{
    CorsFailure, CorsResponse, CredentialsMode, PageRequest, Plan, PreflightFailure, cors_check,
    plan, preflight_check,
};
use corsward_policy::{PolicyId, Refusal};

use super::diagnosis::{Diagnosis, latent, of_both};
use super::reply::{Answer, Reply};
use super::report::{Received, Sent, Step, WalkResult};
use super::server::Server;

/// The upstream that a proxy with policies stands before, where its answer is not given.
const ASSUMED: &str = "the upstream answers 200 without a header of CORS; `--upstream-response FILE` takes its answer";
const ASSUMED_OF_PREFLIGHT: &str = "the upstream answers 200 without a header of CORS";

/// The steps and their result.
pub(super) struct Walk {
    pub(super) steps: Vec<Step>,
    pub(super) result: WalkResult,
    pub(super) diagnoses: Vec<Diagnosis>,
    /// The failures of a policy's answers, for the edits that repair them.
    pub(super) failures: Vec<Failure>,
    /// The answers that were read, the preflight's first.
    pub(super) answers: Vec<(bool, Answer)>,
}

/// A failed check, and the policy behind the answer.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) policy: Option<PolicyId>,
    pub(super) refusal: Option<Refusal>,
    pub(super) cause: PreflightFailure,
}

/// Walks through the browser's steps.
pub(super) fn walk(page: &PageRequest, server: &Server) -> Walk {
    let mut walk = Walk {
        steps: Vec::new(),
        result: WalkResult::Unknown,
        diagnoses: obstacles(page).iter().map(Diagnosis::of_obstacle).collect(),
        failures: Vec::new(),
        answers: Vec::new(),
    };
    let plan = match plan(page) {
        Ok(plan) => plan,
        Err(error) => {
            walk.steps.push(Step {
                title: "the browser reads the request".to_owned(),
                passes: Some(false),
                conclusion: format!("`fetch` throws a TypeError: {error}"),
                ..Step::default()
            });
            walk.result = WalkResult::Blocked;
            return walk;
        }
    };
    walk.steps.push(origins(page, &plan));
    if !plan.cross_origin {
        walk.result = WalkResult::SameOrigin;
        return walk;
    }
    let preflight = walk.preflight(page, &plan, server);
    // A server that is not reached answers nothing else.
    if walk.result != WalkResult::Blocked {
        walk.request(page, &plan, server, preflight);
    }
    walk
}

// === impl Walk ===

impl Walk {
    /// The step of the preflight; `None`: there is none, or its answer is not known.
    fn preflight(&mut self, page: &PageRequest, plan: &Plan, server: &Server) -> Option<bool> {
        let Some(planned) = &plan.preflight else {
            self.steps.push(Step {
                title: "no preflight: the method and the headers are safelisted".to_owned(),
                ..Step::default()
            });
            return None;
        };
        let PlannedPreflight { reasons, request, asks } = planned;
        let reply = server.preflight(page, request);
        let mut step = Step {
            title: "a preflight is needed".to_owned(),
            details: reasons.iter().map(ToString::to_string).collect(),
            sent: Some(Sent::of(page, request)),
            policies: reply.policies.clone(),
            answer: reply.answer.as_ref().map(Received::of),
            assumed: reply.is_assumed.then_some(ASSUMED_OF_PREFLIGHT),
            ..Step::default()
        };
        let Some(answer) = &reply.answer else {
            self.unknown(step, reply);
            return None;
        };
        let checked = preflight_check(&plan.cors, asks, response(answer));
        step.passes = Some(checked.is_ok());
        step.conclusion = match &checked {
            Ok(()) => "the preflight passes".to_owned(),
            Err(failure) => format!("the preflight fails: {failure}"),
        };
        if let Err(cause) = &checked {
            let diagnosis = Diagnosis::of_preflight(cause, answer);
            self.fails(&reply, cause.clone(), diagnosis);
            // A status may be how a server says that it refuses the method or a header.
            let lists = CorsResponse { status: 200, ..response(answer) };
            if let (PreflightFailure::Status(_), Err(below)) =
                (cause, preflight_check(&plan.cors, asks, lists))
            {
                let ok = Answer { status: 200, ..answer.clone() };
                self.diagnoses.push(Diagnosis::of_preflight(&below, &ok));
            }
        }
        self.steps.push(step);
        self.answers.push((true, answer.clone()));
        Some(checked.is_ok())
    }

    /// The step of the request itself, and the result.
    fn request(
        &mut self,
        page: &PageRequest,
        plan: &Plan,
        server: &Server,
        preflight: Option<bool>,
    ) {
        // A browser sends nothing after a failed preflight; the answer shows whether another layer judges otherwise.
        let is_sent = preflight != Some(false);
        if !is_sent && matches!(server, Server::Policies(_)) {
            self.result = WalkResult::Blocked;
            return;
        }
        let reply = server.request(page, &plan.request);
        let mut step = Step {
            title: sending(plan, preflight).to_owned(),
            details: credentials(page),
            sent: Some(Sent::of(page, &plan.request)),
            policies: reply.policies.clone(),
            answer: reply.answer.as_ref().map(Received::of),
            assumed: reply.is_assumed.then_some(ASSUMED),
            ..Step::default()
        };
        let Some(answer) = &reply.answer else {
            if !is_sent {
                self.result = WalkResult::Blocked;
                return;
            }
            return self.unknown(step, reply);
        };
        let checked = cors_check(&plan.cors, response(answer));
        step.passes = Some(checked.is_ok());
        step.conclusion = match &checked {
            Ok(()) => readable(plan, answer),
            Err(failure) => format!("the response stays hidden from the page: {failure}"),
        };
        self.steps.push(step);
        let redirect = Diagnosis::of_redirect(&page.url, answer);
        let is_redirect = redirect.is_some();
        self.diagnoses.extend(redirect);
        // A policy that refuses both has judged them alike.
        let of_both = match reply.refusal() {
            Some(_) => None,
            None => of_both(preflight, checked.as_ref().err(), answer),
        };
        match &checked {
            Ok(()) => self.diagnoses.extend(latent(&plan.cors, answer)),
            Err(failure) => {
                // An error without headers is explained by its status alone.
                let diagnosis = match &of_both {
                    Some(of_both) if *failure == CorsFailure::NoAllowOrigin => of_both.clone(),
                    _ => Diagnosis::of_cors(failure),
                };
                self.fails(&reply, PreflightFailure::Cors(failure.clone()), diagnosis);
            }
        }
        if let Some(of_both) = of_both.filter(|of_both| !self.diagnoses.contains(of_both)) {
            self.diagnoses.push(of_both);
        }
        self.answers.push((false, answer.clone()));
        let is_undecided = is_redirect || (plan.preflight.is_some() && preflight.is_none());
        self.result = match (checked.is_ok(), is_sent, is_undecided) {
            (true, true, false) => WalkResult::Readable,
            (true, true, true) => WalkResult::Unknown,
            _ => WalkResult::Blocked,
        };
    }

    /// A failed check: a policy's own reason, if there is one, says more than its answer.
    fn fails(&mut self, reply: &Reply, cause: PreflightFailure, diagnosis: Diagnosis) {
        let (policy, refusal) = (&reply.policy, reply.refusal());
        self.diagnoses.push(match (policy, refusal) {
            (Some(policy), Some(refusal)) => Diagnosis::of_refusal(policy, refusal, &cause),
            _ => diagnosis,
        });
        // The upstream's answer fails, and no policy decides.
        self.diagnoses.extend(reply.failed.clone());
        self.failures.push(Failure { policy: policy.clone(), refusal, cause });
    }

    fn unknown(&mut self, mut step: Step, reply: Reply) {
        reply.unknown.clone_into(&mut step.conclusion);
        step.capture = reply.capture;
        if let Some(failed) = reply.failed {
            if failed.code.is_beside_cors() {
                step.passes = Some(false);
                self.result = WalkResult::Blocked;
            }
            if !self.diagnoses.iter().any(|it| it.code == failed.code) {
                self.diagnoses.push(failed);
            }
        }
        self.steps.push(step);
    }
}

fn response(answer: &Answer) -> CorsResponse<'_> {
    CorsResponse { status: answer.status, headers: &answer.headers }
}

/// The step that compares the origins.
fn origins(page: &PageRequest, plan: &Plan) -> Step {
    let (to, from) = (page.url.origin().ascii_serialization(), &page.origin);
    let title = if plan.cross_origin {
        format!("cross-origin: {from} is not {to}")
    } else {
        format!("same-origin: the page and the URL are of {to}")
    };
    let dropped = plan.dropped.iter();
    let dropped =
        dropped.map(|name| format!("the browser drops `{name}`: pages may not set this header"));
    Step { title, details: dropped.collect(), ..Step::default() }
}

/// The title of the request's step.
fn sending(plan: &Plan, preflight: Option<bool>) -> &'static str {
    match (preflight, &plan.preflight) {
        (Some(false), _) => "the browser sends no request; its answer would be",
        (None, Some(_)) => "the request is sent if the preflight passes",
        _ => "the request is sent",
    }
}

fn credentials(page: &PageRequest) -> Vec<String> {
    if page.credentials == CredentialsMode::Include {
        vec![
            "with the cookies that the browser has for the URL and `SameSite` lets travel"
                .to_owned(),
        ]
    } else {
        Vec::new()
    }
}

/// The conclusion of a response that passes: the page reads it, or the browser follows it.
fn readable(plan: &Plan, answer: &Answer) -> String {
    if Diagnosis::location(answer).is_some() {
        return "the CORS check passes: the browser follows the redirect, and the page does not read this response".to_owned();
    }
    let headers = readable_headers(&plan.cors, &answer.headers);
    let is_own = |name: &&String| {
        !name.starts_with("access-control-")
            && !matches!(
                name.as_str(),
                "vary"
                    | "date"
                    | "server"
                    | "connection"
                    | "keep-alive"
                    | "transfer-encoding"
                    | "set-cookie"
            )
    };
    let hidden: Vec<&str> = headers.hidden.iter().filter(is_own).map(String::as_str).collect();
    let mut text = "the CORS check passes: the page reads the response".to_owned();
    if !hidden.is_empty() {
        text.push_str(", but not its headers ");
        text.push_str(&hidden.join(", "));
    }
    text
}
