//! Output: which object of a cluster holds a bundle, and which bundle an object of a cluster holds.

use std::sync::Arc;

use corsward_policy::wire;
use kube::core::{ApiResource, GroupVersionKind, ObjectMeta};
use serde_json::{Value, json};

use crate::bundle::{Bundle, BundleKey};
use crate::capabilities::Reach;
use crate::cluster_state::Key;
use crate::filter_module::{MODULE_LABEL, Module, short};
use crate::names::{FIELD_MANAGER, MANAGED_BY};
use crate::publish::ecds::{self, EnvoyModule};
use crate::publish::istio::{self, IstioKind};

/// The label of every object that holds a bundle: the object's name.
pub const BUNDLE_LABEL: &str = "corsward.io/bundle";
/// The annotation that says which proxies a bundle is for.
pub const PROXIES_ANNOTATION: &str = "corsward.io/proxies";
/// The annotation that holds the digest of the configuration.
pub const DIGEST_ANNOTATION: &str = "corsward.io/digest";

/// The annotation that refreshes an object without a change of its content, so that agents fetch the module again. Istio pushes a change of
/// annotations alone where a name of them contains `istio.io`.
pub const REFRESHED_ANNOTATION: &str = "istio.io.corsward.io/refreshed-at";
/// The one key of a `ConfigMap`: the name of the file in the volume.
const FILE: &str = "corsward.yaml";
/// The fields whose foreign values change the meaning of the operator's own.
const OURS_ALONE: [&str; 11] = [
    "/spec/type",
    "/spec/wasm/type",
    "/spec/selector",
    "/spec/workloadSelector",
    "/spec/targetRef",
    "/spec/targetRefs",
    "/spec/match",
    "/spec/pluginConfig",
    "/spec/wasm/pluginConfig",
    "/data",
    "/binaryData",
];

/// The kind of objects that hold bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One of Istio's kinds: Istio brings it to the proxies.
    Istio {
        /// The kind.
        kind: IstioKind,
        /// The filter's module.
        module: Module,
    },
    /// A `ConfigMap` with an ECDS resource, which Envoy reads from a mounted volume.
    ConfigMap {
        /// The filter's module.
        module: EnvoyModule,
    },
}

/// An object's reference to its bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct BundleRef {
    /// Its proxies.
    pub key: BundleKey,
    /// The digest of what it says.
    pub digest: Option<Arc<str>>,
}

// === impl Output ===

impl Output {
    /// The kind of its objects.
    pub fn resource(&self) -> ApiResource {
        match self {
            Self::Istio { kind, .. } => kind.resource(),
            Self::ConfigMap { .. } => {
                ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"))
            }
        }
    }

    /// The proxies that its objects reach.
    pub const fn reach(&self) -> Reach {
        match self {
            Self::Istio { .. } => istio::REACH,
            // The Envoys that mount it are not known.
            Self::ConfigMap { .. } => istio::REACH.unseen(),
        }
    }

    /// The other kinds whose objects bring the filter to proxies, and whether those of this output replace theirs. A `ConfigMap` is not one:
    /// nothing takes it but an Envoy that mounts it.
    pub fn others(&self) -> impl Iterator<Item = (ApiResource, bool)> + use<> {
        let ours = match self {
            Self::Istio { kind, .. } => Some(*kind),
            Self::ConfigMap { .. } => None,
        };
        let all = IstioKind::ALL.iter().filter(move |kind| Some(**kind) != ours);
        all.map(move |kind| (kind.resource(), ours.is_some_and(|ours| ours.replaces(*kind))))
    }

    /// The operator's part of the object that holds `bundle`; `None` for a bundle without a namespace. `module` is for an
    /// object that keeps a module other than the current one.
    pub fn object(&self, bundle: &Bundle, module: Option<&Module>) -> Option<Value> {
        let key = &bundle.key;
        let mut object = match self {
            Self::Istio { kind, module: of_today } => {
                let spec = istio::spec(*kind, bundle, module.unwrap_or(of_today))?;
                json!({"spec": spec})
            }
            Self::ConfigMap { module } => json!({"data": {FILE: ecds::resource(bundle, module)}}),
        };
        let (namespace, name) = (key.namespace()?, key.object_name());
        let proxies = serde_json::to_string(key.proxies()?).ok()?;
        let resource = self.resource();
        let mut labels = json!({MANAGED_BY.0: MANAGED_BY.1, BUNDLE_LABEL: name});
        if let Some(module) = self.module_of(&object) {
            labels.as_object_mut()?.insert(MODULE_LABEL.to_owned(), short(&module.sha256).into());
        }
        let metadata = json!({
            "namespace": namespace,
            "name": name,
            "labels": labels,
            "annotations": {PROXIES_ANNOTATION: proxies, DIGEST_ANNOTATION: bundle.digest},
        });
        let fields = object.as_object_mut()?;
        fields.insert("apiVersion".to_owned(), resource.api_version.into());
        fields.insert("kind".to_owned(), resource.kind.into());
        fields.insert("metadata".to_owned(), metadata);
        Some(object)
    }

    /// The module that an object of ours names.
    pub(crate) fn module_of(&self, object: &Value) -> Option<Module> {
        match self {
            Self::Istio { kind, .. } => istio::module(*kind, object.get("spec")?),
            Self::ConfigMap { .. } => None,
        }
    }

    /// Is an unwanted object deleted? An Envoy keeps running the content of a removed file: a `ConfigMap` becomes inert, and users may delete
    /// it after the pods that mount it.
    pub(crate) fn is_deleted(&self) -> bool {
        matches!(self, Self::Istio { .. })
    }

    /// The inert content of an object that stays without a policy for its proxies; `None` if the object is deleted
    /// instead.
    pub(crate) fn inert(&self, key: &BundleKey) -> Option<Arc<Bundle>> {
        match self {
            Self::Istio { .. } => None,
            Self::ConfigMap { .. } => {
                Some(Arc::new(Bundle::new(key.clone(), wire::encode_for(&[]).text)))
            }
        }
    }
}

/// The label selector of objects that hold bundles.
pub fn selector() -> String {
    format!("{}={},{BUNDLE_LABEL}", MANAGED_BY.0, MANAGED_BY.1)
}

/// Did the operator make it? It has the operator's label or, if that was removed, the operator's field manager.
pub fn is_ours(metadata: &ObjectMeta) -> bool {
    let label = metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY.0));
    let mut managers = metadata.managed_fields.iter().flatten();
    label.is_some_and(|by| by == MANAGED_BY.1)
        || managers.any(|entry| {
            entry.manager.as_deref() == Some(FIELD_MANAGER)
                && entry.operation.as_deref() == Some("Apply")
        })
}

/// The bundle of an object of the operator; `None` if that is unknown, as after a rename or a copy.
pub(crate) fn held(place: &Key, object: &Value) -> Option<BundleRef> {
    let annotation = |name: &str| object.get("metadata")?.get("annotations")?.get(name)?.as_str();
    let proxies = serde_json::from_str(annotation(PROXIES_ANNOTATION)?).ok()?;
    let key = BundleKey::new(&place.namespace, proxies);
    // An object is named after its set of proxies: the name proves the annotation.
    if key.object_name() != place.name {
        return None;
    }
    Some(BundleRef { key, digest: annotation(DIGEST_ANNOTATION).map(Arc::from) })
}

/// Does `object` equal `ours`? Foreign fields are not compared, nor is the kind, which items of a list may lack.
pub(crate) fn is_as(object: &Value, ours: &Value) -> bool {
    let ours = ours.as_object().into_iter().flatten();
    ours.filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind"))
        .all(|(name, ours)| object.get(name).is_some_and(|theirs| says(theirs, ours, false)))
}

/// Does it say what `ours` says, and nothing else if it is to be `whole`?
fn says(object: &Value, ours: &Value, whole: bool) -> bool {
    match (object, ours) {
        (Value::Object(object), Value::Object(ours)) => {
            let says = |(name, ours)| object.get(name).is_some_and(|it| says(it, ours, whole));
            (!whole || object.len() == ours.len()) && ours.iter().all(says)
        }
        // A list is applied whole: what others add to one of its items is neither theirs nor to stay.
        (Value::Array(object), Value::Array(ours)) => {
            let mut items = object.iter().zip(ours);
            object.len() == ours.len() && items.all(|(object, ours)| says(object, ours, true))
        }
        // A number may come back as a double.
        (Value::Number(object), Value::Number(ours)) => object.as_f64() == ours.as_f64(),
        (object, ours) => object == ours,
    }
}

/// The first foreign field that changes the meaning of the operator's own: pods that are no longer selected, a configuration
/// that the filter refuses. Only its field manager can remove it.
pub(crate) fn foreign_field(object: &Value, ours: &Value) -> Option<String> {
    OURS_ALONE.iter().find_map(|at| {
        let (theirs, ours) = (object.pointer(at)?, ours.pointer(at));
        let added = match ours {
            None if !theirs.is_object() => String::new(),
            ours => added(theirs, ours.unwrap_or(&Value::Null))?,
        };
        Some(format!("{}{added}", at.trim_start_matches('/').replace('/', ".")))
    })
}

fn added(object: &Value, ours: &Value) -> Option<String> {
    object.as_object()?.iter().find_map(|(name, theirs)| match ours.get(name) {
        None => Some(format!(".{name}")),
        Some(ours) => Some(format!(".{name}{}", added(theirs, ours)?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::testing::{gateway, module, wasm_plugins, workloads};

    fn place(object: &Value) -> Key {
        let text = |name: &str| object["metadata"][name].as_str().unwrap().to_owned();
        Key { namespace: text("namespace"), name: text("name") }
    }

    #[test]
    fn what_an_object_holds_is_read_back_from_it() {
        let outputs = [
            wasm_plugins(),
            Output::Istio { kind: IstioKind::EnvoyFilter, module: module() },
            Output::ConfigMap {
                module: EnvoyModule::new(ecds::Shell::Wasm, "/etc/corsward/filter.wasm"),
            },
        ];
        for output in outputs {
            for key in [workloads(&[]), workloads(&[("app", "a"), ("b", "")]), gateway("front")] {
                let bundle = Bundle::new(key.clone(), "{}".into());
                let object = output.object(&bundle, None).unwrap();
                let held = held(&place(&object), &object);
                let digest = Some(bundle.digest);
                assert_eq!(held, Some(BundleRef { key, digest }), "{output:?}");
            }
        }
    }

    #[test]
    fn an_object_of_another_name_than_its_proxies_holds_nothing_of_ours() {
        let bundle = Bundle::new(workloads(&[("app", "a")]), "{}".into());
        let mut object = wasm_plugins().object(&bundle, None).unwrap();
        let renamed = Key { namespace: "shop".into(), name: "copy".into() };
        assert_eq!(held(&renamed, &object), None);
        let place = place(&object);
        assert!(held(&place, &object).is_some());
        object["metadata"]["annotations"][PROXIES_ANNOTATION] = "{\"workloads\":{}}".into();
        assert_eq!(held(&place, &object), None, "the annotation was edited");
    }

    #[test]
    fn ours_is_what_carries_our_label_or_what_we_applied() {
        let by =
            |manager: &str, operation: &str| json!([{"manager": manager, "operation": operation}]);
        let none = json!([]);
        for (why, label, managers, ours) in [
            ("nobody says", "", none.clone(), false),
            ("somebody else's", "Helm", by("helm", "Update"), false),
            ("our label", "corsward-operator", by("kubectl", "Update"), true),
            ("a label that was taken away", "", by("corsward-operator", "Apply"), true),
            ("a label that was changed", "Helm", by("corsward-operator", "Apply"), true),
            ("we touched it", "", by("corsward-operator", "Update"), false),
        ] {
            let metadata = json!({"labels": {MANAGED_BY.0: label}, "managedFields": managers});
            assert_eq!(is_ours(&serde_json::from_value(metadata).unwrap()), ours, "{why}");
        }
    }

    #[test]
    fn what_others_add_is_no_difference_and_what_they_change_is() {
        let ours = json!({"a": {"b": 1}, "list": [{"x": "y"}]});
        for (why, object, same) in [
            ("the same", json!({"a": {"b": 1}, "list": [{"x": "y"}]}), true),
            ("a double", json!({"a": {"b": 1.0}, "list": [{"x": "y"}]}), true),
            ("theirs", json!({"a": {"b": 1, "c": 2}, "list": [{"x": "y"}], "d": 1}), true),
            ("in an item", json!({"a": {"b": 1}, "list": [{"x": "y", "z": 0}]}), false),
            ("changed", json!({"a": {"b": 2}, "list": [{"x": "y"}]}), false),
            ("removed", json!({"a": {}, "list": [{"x": "y"}]}), false),
            ("one more", json!({"a": {"b": 1}, "list": [{"x": "y"}, {}]}), false),
        ] {
            assert_eq!(says(&object, &ours, false), same, "{why}");
        }
    }

    #[test]
    fn an_item_of_a_list_need_not_name_its_kind() {
        let bundle = Bundle::new(workloads(&[]), "{}".into());
        let ours = wasm_plugins().object(&bundle, None).unwrap();
        let mut item = ours.clone();
        item.as_object_mut().unwrap().retain(|name, _| name == "metadata" || name == "spec");
        assert!(is_as(&item, &ours));
        item["spec"]["url"] = "u".into();
        assert!(!is_as(&item, &ours));
    }

    #[test]
    fn a_field_that_changes_what_ours_mean_is_found() {
        let ours = json!({"spec": {"selector": {"matchLabels": {"app": "a"}}, "url": "u"}});
        for (why, object, found) in [
            ("none", ours.clone(), None),
            ("harmless", json!({"spec": {"imagePullSecret": "s"}}), None),
            (
                "a label",
                json!({"spec": {"selector": {"matchLabels": {"app": "a", "b": ""}}}}),
                Some("spec.selector.matchLabels.b"),
            ),
            ("a field", json!({"spec": {"pluginConfig": {"w": 1}}}), Some("spec.pluginConfig.w")),
            ("no HTTP filter", json!({"spec": {"type": "NETWORK"}}), Some("spec.type")),
            (
                "a Gateway",
                json!({"spec": {"targetRefs": [{"name": "g"}]}}),
                Some("spec.targetRefs"),
            ),
            ("clients", json!({"spec": {"match": [{"mode": "CLIENT"}]}}), Some("spec.match")),
        ] {
            assert_eq!(foreign_field(&object, &ours).as_deref(), found, "{why}");
        }
    }
}
