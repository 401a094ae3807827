//! Answers: the findings of a review, as `kubectl` prints them. Without IO.
//!
//! The webhook rejects an object for each finding that refuses it, but for findings about other objects, which may be applied next. It allows a
//! spec with `mode: "Off"` with warnings, and without a check a deletion, an object that is being deleted, an update that leaves the spec as
//! it is, a subresource, and a kind or version that is not its own (`ReviewTask` in `operator/controller/src/webhook/question.rs`). If the controller has no answer within two fifths of the API
//! server's timeout, it allows the object with a warning. The checks are `Index::validate` and `Plan::beside_others` of the core.

use corsward_operator_core::finding::{OriginSetReason, TargetReason};
use corsward_policy::{Finding, PolicyId, Severity};
use kube::core::Status;
use kube::core::admission::AdmissionResponse;
use kube::core::response::{StatusCause, StatusDetails};

use super::question::{AdmissionRequest, id};

/// Longest warning: an API server cuts longer ones.
const MAX_WARNING: usize = 256;
/// Longest name of an object in a warning; the middle of a longer one is left out.
const MAX_SUBJECT: usize = 80;
/// Longest warnings of one answer: an API server drops what is beyond 4096 characters.
const MAX_WARNINGS: usize = 3800;
/// Most refusals that are told one by one.
const MAX_REFUSALS: usize = 100;
/// HTTP: the text is understood and refused.
const UNPROCESSABLE: u16 = 422;

/// The answer about an object with these findings. `off`: it switches itself off, and so it must be allowed.
pub(super) fn judged(
    request: &AdmissionRequest,
    findings: &[Finding],
    off: bool,
) -> AdmissionResponse {
    let (refusals, others): (Vec<&Finding>, Vec<_>) = findings
        .iter()
        .partition(|finding| !off && finding.is_refusal() && !is_about_other_objects(finding));
    let mut response = AdmissionResponse::from(request);
    response.warnings = warnings(request, &others);
    if !refusals.is_empty() {
        refuse(&mut response, request, &refusals);
    }
    response
}

/// Does it refuse the policy for what other objects say? They may be applied next, so it refuses nothing here.
fn is_about_other_objects(finding: &Finding) -> bool {
    matches!(
        finding.reason.downcast_ref(),
        Some(TargetReason::NotFound { .. } | TargetReason::SectionNotFound { .. })
    ) || matches!(
        finding.reason.downcast_ref(),
        Some(OriginSetReason::Missing(_) | OriginSetReason::Refused(_))
    )
}

/// Allowed, with something to say about why nothing was judged.
pub(super) fn unjudged(request: &AdmissionRequest, why: &str) -> AdmissionResponse {
    let mut response = AdmissionResponse::from(request);
    let warning = shortened(&format!("corsward: {}: {why}", subject(request)));
    response.warnings = Some(vec![warning]);
    response
}

/// `kubectl` prints the causes, one a line; other clients print the message.
fn refuse(response: &mut AdmissionResponse, request: &AdmissionRequest, refusals: &[&Finding]) {
    let told = refusals.iter().take(MAX_REFUSALS).map(|finding| {
        let message = printable(&format!("{} [{}]", finding.message(), finding.code()));
        let (reason, field) = ("FieldValueInvalid".to_owned(), printable(&finding.field));
        (printable(&finding.to_string()), StatusCause { reason, message, field })
    });
    let count = refusals.len();
    let more = (count > MAX_REFUSALS).then(|| {
        let message = format!("and {} more", count.saturating_sub(MAX_REFUSALS));
        let (reason, field) = (String::new(), "spec".to_owned());
        (message.clone(), StatusCause { reason, message, field })
    });
    let (lines, causes): (Vec<String>, Vec<StatusCause>) = told.chain(more).unzip();
    let refusals = if count == 1 { "refusal" } else { "refusals" };
    let message = format!("{count} {refusals}: {}", lines.join("; "));
    let details = StatusDetails {
        name: request.name.clone(),
        group: request.kind.group.clone(),
        kind: request.kind.kind.clone(),
        uid: String::new(),
        causes,
        retry_after_seconds: 0,
    };
    response.allowed = false;
    response.result =
        Status::failure(&message, "Invalid").with_code(UNPROCESSABLE).with_details(details);
}

/// The object that a warning is about. `kubectl` prints equal warnings of several objects once, so each names its own.
fn subject(request: &AdmissionRequest) -> String {
    let PolicyId { namespace, name } = id(request);
    let slash = if namespace.is_empty() { "" } else { "/" };
    let subject = format!("{namespace}{slash}{name}");
    let len = subject.chars().count();
    if len <= MAX_SUBJECT {
        return subject;
    }
    let half = MAX_SUBJECT / 2;
    let start = subject.chars().take(half.saturating_sub(1));
    start.chain(['…']).chain(subject.chars().skip(len.saturating_sub(half))).collect()
}

/// The code comes early, so that it survives every truncation.
fn warning(subject: &str, finding: &Finding) -> String {
    let severity = match finding.severity() {
        Severity::Refusal if is_about_other_objects(finding) => "not in force yet: ",
        Severity::Refusal => "refused: ",
        Severity::Warning => "",
        Severity::Hint => "hint: ",
    };
    let (code, field) = (finding.code(), &finding.field);
    let colon = if field.is_empty() { "" } else { ": " };
    let message = finding.message();
    shortened(&format!("{subject}: {severity}{code} {field}{colon}{message}"))
}

fn warnings(request: &AdmissionRequest, findings: &[&Finding]) -> Option<Vec<String>> {
    let subject = subject(request);
    let (mut kept, mut len, mut left) = (Vec::new(), 0_usize, 0_usize);
    for finding in findings {
        let warning = warning(&subject, finding);
        let longer = len.saturating_add(warning.chars().count());
        if left > 0 || longer > MAX_WARNINGS {
            left = left.saturating_add(1);
        } else if !kept.contains(&warning) {
            len = longer;
            kept.push(warning);
        }
    }
    if left > 0 {
        let kind = request.kind.kind.to_lowercase();
        kept.push(format!(
            "corsward: {subject}: and {left} more; `kubectl get {kind} -o yaml` shows all of them"
        ));
    }
    (!kept.is_empty()).then_some(kept)
}

fn shortened(text: &str) -> String {
    let text = printable(text);
    if text.chars().count() <= MAX_WARNING {
        return text;
    }
    text.chars().take(MAX_WARNING.saturating_sub(1)).chain(['…']).collect()
}

/// A header and a terminal must stand it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::webhook::question::read;
    use corsward_manifest::finding::ShapeReason;
    use corsward_operator_core::finding::PlacementReason;
    use serde_json::{Value, json};

    /// A review as an API server sends it.
    pub(in crate::webhook) fn review(operation: &str, spec: &Value, old: Option<&Value>) -> Value {
        let object = |spec: &Value| {
            json!({
                "apiVersion": "corsward.io/v1alpha1",
                "kind": "CorsPolicy",
                "metadata": {
                    "name": "api",
                    "namespace": "shop",
                    "uid": "object-uid",
                    "creationTimestamp": "2026-01-01T00:00:00Z",
                },
                "spec": spec,
            })
        };
        json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "review-uid",
                "kind": {"group": "corsward.io", "version": "v1alpha1", "kind": "CorsPolicy"},
                "resource": {"group": "corsward.io", "version": "v1alpha1", "resource": "corspolicies"},
                "name": "api",
                "namespace": "shop",
                "operation": operation,
                "userInfo": {"username": "anna"},
                "object": object(spec),
                "oldObject": old.map(object),
                "dryRun": false,
            },
        })
    }

    fn answer(findings: &[Finding], off: bool) -> Value {
        let review = review("CREATE", &json!({}), None).to_string();
        let request = read(review.as_bytes()).unwrap().0;
        serde_json::to_value(judged(&request, findings, off).into_review()).unwrap()
    }

    fn refusal(field: &str) -> Finding {
        let name = field.rsplit('.').next().unwrap_or_default().to_owned();
        Finding::new(
            field,
            ShapeReason::UnknownField { name, meant: None, explain: "corspolicy.spec".into() },
        )
    }

    fn hint() -> Finding {
        Finding::new("spec.selector", PlacementReason::TargetsUnused)
    }

    #[test]
    fn nothing_to_say_is_a_bare_yes() {
        let answer = answer(&[], false);
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!(answer["response"]["uid"], "review-uid");
        assert_eq!(answer["response"]["allowed"], true);
        assert_eq!(answer["response"].get("warnings"), None);
    }

    #[test]
    fn every_refusal_is_told_with_code_field_and_sentence() {
        let answer = answer(&[refusal("spec.cors.a"), refusal("spec.b"), hint()], false);
        let response = &answer["response"];
        assert_eq!(response["allowed"], false);
        assert_eq!(response["status"]["code"], 422);
        assert_eq!(response["status"]["reason"], "Invalid");
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.starts_with("2 refusals: spec.cors.a: "), "{message}");
        assert!(message.contains("; spec.b: "), "{message}");
        assert_eq!(message.matches("[CORS-E503]").count(), 2, "{message}");
        let causes = response["status"]["details"]["causes"].as_array().unwrap();
        let fields: Vec<&Value> = causes.iter().map(|cause| &cause["field"]).collect();
        assert_eq!(fields, ["spec.cors.a", "spec.b"]);
        let warning = response["warnings"][0].as_str().unwrap();
        assert!(warning.starts_with("shop/api: hint: CORS-I521 spec.selector: "), "{warning}");
    }

    #[test]
    fn a_policy_that_is_switched_off_is_allowed_whatever_else_it_says() {
        let answer = answer(&[refusal("spec.a")], true);
        assert_eq!(answer["response"]["allowed"], true);
        let warning = answer["response"]["warnings"][0].as_str().unwrap();
        assert!(warning.starts_with("shop/api: refused: CORS-E503 spec.a: "), "{warning}");
    }

    #[test]
    fn what_may_be_applied_next_is_no_reason_to_refuse() {
        let (kind, name, namespace) = ("Service".into(), "api".into(), "shop".into());
        let missing = TargetReason::NotFound { kind, name, namespace };
        let answer = answer(&[Finding::new("spec.targetRefs[0]", missing)], false);
        assert_eq!(answer["response"]["allowed"], true);
        let warning = answer["response"]["warnings"][0].as_str().unwrap();
        assert!(
            warning.starts_with("shop/api: not in force yet: CORS-E524 spec.targetRefs[0]: "),
            "{warning}"
        );
    }

    #[test]
    fn thousands_of_findings_fit_into_an_answer() {
        let refusals: Vec<Finding> = (0..5000).map(|at| refusal(&format!("spec.f{at}"))).collect();
        let answer = answer(&refusals, false);
        let message = answer["response"]["status"]["message"].as_str().unwrap();
        assert!(message.starts_with("5000 refusals: "), "{message}");
        assert!(message.ends_with("; and 4900 more"), "{message}");
        assert!(message.len() < 64 * 1024, "{}", message.len());

        let answer = self::answer(&refusals, true);
        let warnings = answer["response"]["warnings"].as_array().unwrap();
        let chars = |warning: &Value| warning.as_str().unwrap().chars().count();
        assert!(warnings.iter().map(chars).sum::<usize>() <= 4096);
        assert!(warnings.iter().all(|warning| chars(warning) <= MAX_WARNING));
        let last = warnings.last().and_then(Value::as_str).unwrap();
        let told = warnings.len() - 1;
        assert!(
            last.starts_with(&format!("corsward: shop/api: and {} more", 5000 - told)),
            "{last}"
        );
    }

    #[test]
    fn a_long_warning_keeps_its_code_and_odd_bytes_stay_out_of_headers() {
        let finding = Finding::new(
            "spec.x\r\ny",
            ShapeReason::WrongShape {
                message: "é".repeat(999), explain: "corspolicy.spec".into()
            },
        );
        let warning = warning("shop/api", &finding);
        assert_eq!(warning.chars().count(), MAX_WARNING);
        assert!(
            warning.starts_with("shop/api: refused: CORS-E504 spec.x\u{fffd}\u{fffd}y: "),
            "{warning}"
        );
        assert!(warning.ends_with('…'));
    }

    #[test]
    fn each_warning_names_its_object_within_the_bound_of_a_warning() {
        let long = "x".repeat(250);
        for (why, namespace, metadata, want) in [
            ("a name", json!("shop"), json!({"name": "api"}), "shop/api: hint: "),
            ("none yet", json!("shop"), json!({"generateName": "api-"}), "shop/api-: hint: "),
            ("of the cluster", Value::Null, json!({"name": "api"}), "api: hint: "),
            (
                "its end tells it from others",
                json!("shop"),
                json!({"name": format!("{long}-1")}),
                &format!("shop/{}…{}-1: hint: ", "x".repeat(34), "x".repeat(38)),
            ),
        ] {
            let mut review = review("CREATE", &json!({}), None);
            review["request"]["namespace"] = namespace;
            review["request"]["object"]["metadata"] = metadata;
            let request = read(review.to_string().as_bytes()).unwrap().0;
            let warnings = judged(&request, &[hint()], false).warnings.unwrap();
            assert!(warnings[0].starts_with(want), "{why}: {warnings:?}");
            assert!(warnings[0].chars().count() <= MAX_WARNING, "{why}: {warnings:?}");
        }
    }

    #[test]
    fn the_same_warning_is_given_once() {
        let answer = answer(&[hint(), hint()], false);
        assert_eq!(answer["response"]["warnings"].as_array().unwrap().len(), 1);
    }
}
