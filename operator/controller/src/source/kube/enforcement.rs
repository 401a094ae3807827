//! The switch of the whole cluster: one `ConfigMap` beside the operator, which the chart writes from its value `enforcement`.

use corsward_operator_core::cluster_state::Key;
use corsward_operator_core::event::Event;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use tracing::warn;

use super::Shared;
use crate::error_log::{ErrorLog, News};
use crate::watches;

/// The kind, as metrics and log lines name it.
const KIND: &str = "ConfigMap";
/// The field that says it.
const FIELD: &str = "enforcement";

/// Follows the switch until the controller is gone. An unreadable switch leaves the last value.
pub(super) async fn follow(shared: &Shared, switch: Key) {
    let Key { namespace, name } = switch;
    let api: Api<ConfigMap> = Api::namespaced(shared.client.clone(), &namespace);
    let mut states = watches::of_object(api, KIND, &name);
    let (mut said, mut error_log) = (None, ErrorLog::default());
    while let Some(found) = states.next().await {
        let Ok(found) = found else {
            shared.metrics.watch_restarted(KIND);
            continue;
        };
        let is_first = said.is_none();
        let word = word(found.as_ref());
        let is_on = *word.as_ref().ok().or(said.as_ref()).unwrap_or(&true);
        said = Some(is_on);
        if let Some(News::Failed(error)) = error_log.news(word.err()) {
            let kept = if is_on { "On" } else { "Off" };
            warn!(
                namespace,
                name,
                error,
                kept,
                "the ConfigMap of enforcement has no valid value: repeat `helm upgrade` to write it"
            );
        }
        let batch = vec![Event::Enforcement(is_on)];
        if shared.events.send(batch).await.is_err()
            || (is_first && shared.count_first_list().await.is_err())
        {
            return;
        }
    }
}

/// True for `On`, false for `Off`; else a sentence about what stands there.
fn word(found: Option<&ConfigMap>) -> Result<bool, String> {
    let found = found.ok_or_else(|| "there is no such ConfigMap".to_owned())?;
    let word = found.data.as_ref().and_then(|data| data.get(FIELD));
    let word = word.ok_or_else(|| format!("it has no field `{FIELD}`"))?.trim();
    match word {
        word if word.eq_ignore_ascii_case("On") => Ok(true),
        word if word.eq_ignore_ascii_case("Off") => Ok(false),
        word => Err(format!("`{FIELD}` says `{}`: write `On` or `Off`", word.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_says_on_or_off_and_nothing_else() {
        let written = |word: &str| ConfigMap {
            data: Some([(FIELD.to_owned(), word.to_owned())].into()),
            ..ConfigMap::default()
        };
        for (why, found, want) in [
            ("on", Some(written("On")), Ok(true)),
            ("off", Some(written("Off")), Ok(false)),
            ("in a hurry", Some(written("off\n")), Ok(false)),
            ("a truth value", Some(written("false")), Err("says `false`: write `On` or `Off`")),
            ("nothing", Some(written("")), Err("says ``: write")),
            ("emptied", Some(ConfigMap::default()), Err("it has no field `enforcement`")),
            ("deleted", None, Err("there is no such ConfigMap")),
        ] {
            match (word(found.as_ref()), want) {
                (Ok(is_on), Ok(want)) => assert_eq!(is_on, want, "{why}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{why}: {error}"),
                (got, want) => panic!("{why}: {got:?}, not {want:?}"),
            }
        }
    }
}
