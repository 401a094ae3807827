//! Objects for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use corsward_manifest::finding::SourceReason;
use corsward_policy::{Finding, PolicyId};
use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::capabilities::Reach;
use crate::index::{Index, PolicyInForce, Scope};
use crate::json_text::JsonText;
use crate::object::{Object, Text};
use crate::plan::{Plan, Planned};
use crate::status::{Status, StatusInputs};

/// A spec that is accepted.
pub static GOOD: LazyLock<Value> =
    LazyLock::new(|| json!({"cors": {"allowOrigins": ["https://a.example"]}}));
/// A spec that is refused.
pub static REFUSED: LazyLock<Value> =
    LazyLock::new(|| json!({"cors": {"allowOrigins": ["https://a.example/"]}}));

/// A policy of the namespace `shop`.
pub fn id(name: &str) -> PolicyId {
    PolicyId { namespace: "shop".into(), name: name.into() }
}

/// A policy as read from a file.
pub fn object(name: &str, spec: &Value) -> Object {
    let text = JsonText::of(spec).into();
    Object { id: id(name), place: Some("a.yaml".into()), generation: None, text, record: None }
}

/// A policy whose file is half written.
pub fn unreadable(name: &str) -> Object {
    let finding = Finding::new("", SourceReason::NotYaml("half written".into()));
    let text = Text { findings: vec![finding], ..Text::default() };
    Object { text, ..object(name, &Value::Null) }
}

/// The state of all objects in an index.
#[derive(Debug, Default, PartialEq)]
pub struct TestOutcome {
    /// What is published.
    pub bundles: Vec<Bundle>,
    /// What is in force.
    pub in_force: BTreeMap<PolicyId, PolicyInForce>,
    /// The statuses.
    pub statuses: Vec<Status>,
    /// The reason why a part is not published.
    pub held: Option<String>,
}

/// Plans, and lets the plan come into force.
pub fn carry_out(index: &mut Index) -> TestOutcome {
    let scopes = match index.reach() {
        Reach::One => vec![Scope::All],
        Reach::Targets(_) => index
            .entries()
            .keys()
            .map(|id| Scope::Namespace(id.namespace.clone()))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
    };
    let mut plan = Plan::default();
    let mut outcome = TestOutcome::default();
    for scope in scopes {
        plan.update(index, &scope);
        let Some(planned) = plan.scope(&scope) else { continue };
        for (id, planned) in &planned.policies {
            if planned.in_force.is_some() || !planned.suspended {
                let Some(entry) = index.entry_mut(id) else { continue };
                entry.in_force.clone_from(&planned.in_force);
            }
        }
        outcome.bundles.extend(planned.bundles().map(|(_, held)| (**held).clone()));
        for (id, planned) in &planned.policies {
            outcome.in_force.extend(planned.in_force.clone().map(|held| (id.clone(), held)));
        }
        outcome.held = planned.why_not_all().map(str::to_owned).or(outcome.held);
        let status = |(id, policy): (&PolicyId, &Planned)| {
            let (held, off) = (policy.held.as_deref(), index.why_off(&scope));
            let reach = index.reach();
            let frozen = planned.frozen;
            let inputs = StatusInputs { held, frozen, off, reach, ..StatusInputs::default() };
            Status::of(&index.entries()[id], policy, inputs)
        };
        outcome.statuses.extend(planned.policies.iter().map(status));
    }
    outcome
}
