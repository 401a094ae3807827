//! Conditions: how the conditions of a status follow on those that an API server holds (GEP-713).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// The condition of that type.
#[must_use]
pub fn find<'c>(conditions: &'c [Condition], kind: &str) -> Option<&'c Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Keeps the transition time of each condition whose `status` is the same among those `observed`. So a status that says nothing new
/// equals the observed one.
pub fn keep_times(conditions: &mut [Condition], observed: &[Condition]) {
    for condition in conditions {
        let known = find(observed, &condition.type_);
        if let Some(known) = known.filter(|known| known.status == condition.status) {
            condition.last_transition_time = known.last_transition_time.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn condition(kind: &str, status: &str, message: &str, time: &str) -> Condition {
        Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: "Because".to_owned(),
            message: message.to_owned(),
            last_transition_time: Time(time.parse().unwrap()),
            observed_generation: None,
        }
    }

    #[test]
    fn a_transition_time_moves_only_when_the_status_flips() {
        let (then, now) = ("2026-01-01T00:00:00Z", "2026-02-02T02:02:02Z");
        let accepted = |status, message, time| condition("Accepted", status, message, time);
        for (why, observed, want) in [
            ("nothing was there", vec![], now),
            ("the same", vec![accepted("True", "fine", then)], then),
            ("other words for the same", vec![accepted("True", "well", then)], then),
            ("it flips", vec![accepted("False", "bad", then)], now),
            (
                "another one has that status",
                vec![condition("Programmed", "True", "fine", then)],
                now,
            ),
            (
                "another one comes first",
                vec![condition("Programmed", "True", "fine", now), accepted("True", "fine", then)],
                then,
            ),
        ] {
            let mut new = [accepted("True", "fine", now)];
            keep_times(&mut new, &observed);
            assert_eq!(new, [accepted("True", "fine", want)], "{why}");
        }
    }
}
