//! A review as it comes from an API server: is it one, is it for us, and what does it ask? Without IO.

use anyhow::{Context as _, Result, anyhow, ensure};
use corsward_api::GROUP;
use corsward_operator_core::object::{CheckedObject, Object};
use corsward_policy::PolicyId;
use kube::core::admission::{self, AdmissionReview, META_API_VERSION_V1, META_KIND, Operation};
use kube::core::{GroupVersionKind, TypeMeta};
use serde_json::Value;

use crate::source::kube::{Raw, VERSION, policy, raw_object};

/// A request of an API server, with the objects as a watch reads them.
pub(super) type AdmissionRequest = admission::AdmissionRequest<Raw<Value, Value>>;

/// The work for a review.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ReviewTask {
    /// The loop is asked.
    Validate {
        /// Of what.
        object: CheckedObject,
        /// It switches itself off, which is always allowed.
        off: bool,
    },
    /// Nothing that is judged changes.
    Pass,
    /// It is none of ours; why.
    Foreign(String),
}

/// Reads a review: its request, as it came, and the work for it.
///
/// # Errors
///
/// Fails if the bytes are none that can be answered.
pub(super) fn read(bytes: &[u8]) -> Result<(AdmissionRequest, ReviewTask)> {
    // Which kind it is comes first: the rest of something else is of no interest.
    let malformed = |error: serde_json::Error| anyhow!("not an AdmissionReview: {error}");
    let TypeMeta { api_version, kind } = serde_json::from_slice(bytes).map_err(malformed)?;
    ensure!(
        api_version == META_API_VERSION_V1 && kind == META_KIND,
        "`{api_version}` `{kind}` is not answered here: send an `{META_KIND}` of `{META_API_VERSION_V1}`"
    );
    let review: AdmissionReview<Raw<Value, Value>> =
        serde_json::from_slice(bytes).map_err(malformed)?;
    let request: AdmissionRequest = review.try_into().context("the review has no `request`")?;
    ensure!(!request.uid.is_empty(), "the review has no `request.uid`, so it cannot be answered");
    let task = ReviewTask::of(&request)?;
    Ok((request, task))
}

// === impl ReviewTask ===

impl ReviewTask {
    fn of(request: &AdmissionRequest) -> Result<Self> {
        let GroupVersionKind { group, version, kind } = &request.kind;
        let foreign = || Self::Foreign(format!("{kind} of {group}/{version} is not judged here"));
        if group != GROUP || version != VERSION {
            return Ok(foreign());
        }
        if matches!(request.operation, Operation::Delete | Operation::Connect)
            || request.sub_resource.as_deref().is_some_and(|name| !name.is_empty())
        {
            return Ok(Self::Pass);
        }
        let object = request.object.as_ref().context(
            "the review has no `request.object`, though something is created or updated",
        )?;
        let is_unchanged = request.old_object.as_ref().is_some_and(|old| old.spec == object.spec);
        // One that goes only waits for its finalizers, and one whose spec is as it was has been judged before.
        if object.metadata.deletion_timestamp.is_some()
            || (request.operation == Operation::Update && is_unchanged)
        {
            return Ok(Self::Pass);
        }
        // Only a policy has a mode.
        let off = kind == "CorsPolicy"
            && object.spec.as_ref().and_then(|spec| spec.get("mode")?.as_str()) == Some("Off");
        let (id, object) = (id(request), object.clone());
        let object = match kind.as_str() {
            "CorsPolicy" => CheckedObject::CorsPolicy(Box::new(Object { id, ..policy(object) })),
            "OriginSet" => CheckedObject::OriginSet(raw_object(object).spec),
            "ClusterCorsPolicy" => CheckedObject::ClusterCorsPolicy(raw_object(object).spec),
            _ => return Ok(foreign()),
        };
        Ok(Self::Validate { object, off })
    }
}

/// The name of a request's object; one that the API server has yet to make up ends as the author began it.
pub(super) fn id(request: &AdmissionRequest) -> PolicyId {
    let object = request.object.as_ref();
    let metadata = object.map(|object| object.metadata.clone()).unwrap_or_default();
    let name = metadata.name.filter(|name| !name.is_empty()).or(metadata.generate_name);
    let namespace = metadata.namespace.or_else(|| request.namespace.clone());
    PolicyId {
        namespace: namespace.unwrap_or_default(),
        name: name.unwrap_or_else(|| request.name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::answer::tests::review;
    use corsward_operator_core::json_text::JsonText;
    use serde_json::json;

    fn task(review: &Value) -> Result<ReviewTask, String> {
        let question = read(review.to_string().as_bytes());
        question.map(|(_, task)| task).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_no_review_is_said_so() {
        for (bytes, want) in [
            (&b""[..], "not an AdmissionReview: EOF"),
            (b"{", "not an AdmissionReview: EOF"),
            (b"\xff\xfe", "not an AdmissionReview: expected value"),
            (b"7", "not an AdmissionReview: invalid type"),
            (b"[]", "not an AdmissionReview: invalid length 0"),
            (b"{}", "not an AdmissionReview: missing field `apiVersion`"),
            (
                br#"{"apiVersion":"v1","kind":"Pod"}"#,
                "`v1` `Pod` is not answered here: send an `AdmissionReview` of `admission.k8s.io/v1`",
            ),
            (
                br#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#,
                "`admission.k8s.io/v1beta1` `AdmissionReview` is not answered here",
            ),
            (
                br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
                "the review has no `request`",
            ),
        ] {
            let error = read(bytes).unwrap_err().to_string();
            assert!(error.starts_with(want), "{error}");
        }
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(read(deep.as_bytes()).is_err());
        for (field, want) in [("uid", "missing field `uid`"), ("kind", "missing field `kind`")] {
            let mut review = review("CREATE", &json!({}), None);
            review["request"].as_object_mut().unwrap().remove(field);
            let error = task(&review).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
        let mut nameless = review("CREATE", &json!({}), None);
        nameless["request"]["uid"] = json!("");
        assert!(task(&nameless).unwrap_err().contains("no `request.uid`"));
        let mut empty = review("CREATE", &json!({}), None);
        empty["request"]["object"] = Value::Null;
        assert!(task(&empty).unwrap_err().contains("no `request.object`"));
    }

    #[test]
    fn only_a_spec_that_changes_is_judged() {
        let (old, new) = (json!({"cors": {}}), json!({"cors": {"maxAge": 1}}));
        let judged = |review: &Value| matches!(task(review), Ok(ReviewTask::Validate { .. }));
        assert!(judged(&review("CREATE", &new, None)));
        assert!(judged(&review("UPDATE", &new, Some(&old))));
        assert_eq!(task(&review("UPDATE", &new, Some(&new))), Ok(ReviewTask::Pass));
        let mut going = review("UPDATE", &new, Some(&old));
        going["request"]["object"]["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(task(&going), Ok(ReviewTask::Pass));
        let mut status = review("UPDATE", &new, Some(&old));
        status["request"]["subResource"] = json!("status");
        assert_eq!(task(&status), Ok(ReviewTask::Pass));
        let mut gone = review("DELETE", &new, Some(&old));
        gone["request"]["object"] = Value::Null;
        assert_eq!(task(&gone), Ok(ReviewTask::Pass));
    }

    #[test]
    fn what_is_asked_is_who_wrote_what_where() {
        let review = review("CREATE", &json!({"mode": "Off"}), None);
        let Ok(ReviewTask::Validate { object: CheckedObject::CorsPolicy(object), off }) =
            task(&review)
        else {
            panic!("not judged")
        };
        assert!(off);
        assert_eq!(object.id.to_string(), "shop/api");
        assert_eq!(object.spec().map(JsonText::value), Some(json!({"mode": "Off"})));
        let record = object.record.unwrap();
        assert_eq!((record.uid.as_str(), record.created), ("object-uid", Some(1_767_225_600)));
    }

    #[test]
    fn a_name_that_is_yet_to_be_made_up_is_none() {
        let mut review = review("CREATE", &json!({}), None);
        review["request"]["name"] = json!("");
        review["request"]["object"]["metadata"] = json!({"generateName": "api-"});
        let Ok(ReviewTask::Validate { object: CheckedObject::CorsPolicy(object), .. }) =
            task(&review)
        else {
            panic!("not judged")
        };
        assert_eq!(object.id.to_string(), "shop/api-");
    }

    #[test]
    fn other_kinds_are_none_of_ours() {
        for (group, version, kind, want) in [
            ("apps", "v1", "Deployment", "Deployment of apps/v1 is not judged here"),
            ("corsward.io", "v1", "CorsPolicy", "CorsPolicy of corsward.io/v1 is not judged here"),
            (
                "corsward.io",
                "v1alpha1",
                "Thing",
                "Thing of corsward.io/v1alpha1 is not judged here",
            ),
        ] {
            let mut review = review("CREATE", &json!({}), None);
            review["request"]["kind"] = json!({"group": group, "version": version, "kind": kind});
            assert_eq!(task(&review), Ok(ReviewTask::Foreign(want.to_owned())));
            review["request"]["object"].as_object_mut().unwrap().remove("metadata");
            assert_eq!(task(&review), Ok(ReviewTask::Foreign(want.to_owned())), "no metadata");
        }
        for kind in ["OriginSet", "ClusterCorsPolicy"] {
            let mut review = review("CREATE", &json!({"mode": "Off"}), None);
            review["request"]["kind"]["kind"] = json!(kind);
            assert!(matches!(task(&review), Ok(ReviewTask::Validate { off: false, .. })), "{kind}");
        }
    }
}
