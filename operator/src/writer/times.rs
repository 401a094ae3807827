//! When conditions last flipped: what the observed status says, where it says the same of them.

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

/// The field that says it.
const TIME: &str = "lastTransitionTime";

/// Sets the transition time of each condition in `new`: that of `observed` where its `status` is the same there, else `now` (GEP-713). So a
/// status that says nothing new is the observed one to the letter, and need not be written.
pub fn condition_times(new: &mut Value, observed: &Value, now: Timestamp) {
    let known = observed.get("conditions").and_then(Value::as_array);
    let Some(conditions) = new.get_mut("conditions").and_then(Value::as_array_mut) else { return };
    for condition in conditions.iter_mut().filter_map(Value::as_object_mut) {
        let same = |other: &&Value| {
            ["type", "status"].iter().all(|field| other.get(*field) == condition.get(*field))
        };
        let since = known.and_then(|known| known.iter().find(same)?.get(TIME)).cloned();
        let time = since.unwrap_or_else(|| Value::String(seconds(now)));
        condition.insert(TIME.to_owned(), time);
    }
}

/// A time as Kubernetes writes it (`metav1.Time`): whole seconds.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const THEN: &str = "2026-01-01T00:00:00Z";

    fn condition(kind: &str, status: &str, message: &str, time: Option<&str>) -> Value {
        let mut condition = json!({"type": kind, "status": status, "message": message});
        if let Some(time) = time {
            condition[TIME] = time.into();
        }
        condition
    }

    #[test]
    fn a_transition_time_moves_only_when_the_status_flips() {
        let now: Timestamp = "2026-02-02T02:02:02.987654Z".parse().unwrap();
        let accepted = |status, message, time| condition("Accepted", status, message, time);
        for (why, observed, want) in [
            ("nothing was there", json!(null), "2026-02-02T02:02:02Z"),
            ("no conditions", json!({"observedGeneration": 1}), "2026-02-02T02:02:02Z"),
            ("odd conditions", json!({"conditions": "none"}), "2026-02-02T02:02:02Z"),
            ("the same", json!({"conditions": [accepted("True", "fine", Some(THEN))]}), THEN),
            (
                "other words for the same",
                json!({"conditions": [accepted("True", "well", Some(THEN))]}),
                THEN,
            ),
            (
                "it flips",
                json!({"conditions": [accepted("False", "bad", Some(THEN))]}),
                "2026-02-02T02:02:02Z",
            ),
            (
                "another one has that status",
                json!({"conditions": [condition("Programmed", "True", "fine", Some(THEN))]}),
                "2026-02-02T02:02:02Z",
            ),
            (
                "no time was there",
                json!({"conditions": [accepted("True", "fine", None)]}),
                "2026-02-02T02:02:02Z",
            ),
        ] {
            let mut new = json!({"conditions": [accepted("True", "fine", None)]});
            condition_times(&mut new, &observed, now);
            let want = json!({"conditions": [accepted("True", "fine", Some(want))]});
            assert_eq!(new, want, "{why}");
        }
    }

    #[test]
    fn a_status_that_says_nothing_new_is_the_observed_one() {
        let observed = json!({
            "observedGeneration": 3,
            "conditions": [
                condition("Accepted", "True", "fine", Some(THEN)),
                condition("Programmed", "False", "soon", Some("2026-01-01T00:00:07Z")),
            ],
        });
        let mut new = observed.clone();
        for condition in new["conditions"].as_array_mut().unwrap() {
            condition.as_object_mut().unwrap().remove(TIME);
        }
        condition_times(&mut new, &observed, Timestamp::now());
        assert_eq!(new, observed);
    }

    #[test]
    fn a_status_without_conditions_is_left_alone() {
        for status in [json!(null), json!({"a": 1}), json!({"conditions": [7]})] {
            let mut new = status.clone();
            condition_times(&mut new, &json!({}), Timestamp::now());
            assert_eq!(new, status);
        }
    }
}
