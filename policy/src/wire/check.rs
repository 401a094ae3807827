//! Check: the bounds of what is on the wire that a valid policy may exceed all the same: its name, its workloads, and the numbers that
//! belong to all policies of a proxy. Readers and writers share them.

use crate::compile::Arranged;
use crate::draft::PolicyId;
use crate::limits::{
    MAX_PLACES_PER_PROXY, MAX_REGEXES_PER_PROXY, MAX_WIRE_LEN, MAX_WORKLOAD_LABELS, MAX_WORKLOADS,
};
use crate::syntax::{is_label_key, is_label_value, is_object_name};
use crate::wire::DecodeError;
use crate::workload::Narrowing;

/// A policy as the tables of a proxy count it.
pub(super) struct Counted<'p> {
    pub(super) blocks: usize,
    pub(super) hosts: usize,
    pub(super) workloads: &'p [Narrowing],
}

/// Checks policies that are written as `text`: the error is the one of a filter that reads it.
///
/// INVARIANT: `validate` alone makes a [`Policy`](crate::Policy), and holds the other bounds of a reader: `MAX_REGEXES` and
/// `OriginRegex::fit_together` of each `cors` block (a sorted list without repetitions is no larger), `OriginPattern::Any` alone in its list,
/// and hosts, origins, paths, methods and header names that print as their parsers read them. `Narrowing` has each key once, and `arrange`
/// leaves out one that is everything.
pub(super) fn written(text: &str, policies: &[Arranged]) -> Result<(), DecodeError> {
    if text.len() > MAX_WIRE_LEN {
        return Err(DecodeError::TooLong);
    }
    for (index, policy) in policies.iter().enumerate() {
        of_policy(policy).map_err(|error| error.within("policies", index))?;
    }
    let blocks = policies.iter().flat_map(|policy| &policy.blocks);
    regexes(blocks.map(|block| block.cors.regexes.len()).sum())?;
    places(policies.iter().map(|policy| Counted {
        blocks: policy.blocks.len(),
        hosts: policy.settings.hosts.len(),
        workloads: &policy.workloads,
    }))
}

fn of_policy(policy: &Arranged) -> Result<(), DecodeError> {
    let PolicyId { namespace, name } = &policy.settings.id;
    object_name("namespace", namespace)?;
    object_name("name", name)?;
    workload_count(policy.workloads.len())?;
    for (index, workload) in policy.workloads.iter().enumerate() {
        of_workload(workload).map_err(|error| error.within("workloads", index))?;
    }
    Ok(())
}

fn of_workload(workload: &Narrowing) -> Result<(), DecodeError> {
    port(workload.port())?;
    label_count(workload.labels().len())?;
    workload.labels().iter().try_for_each(|(key, value)| label(key, value))
}

/// The namespace or the name of a policy.
pub(super) fn object_name(field: &str, name: &str) -> Result<(), DecodeError> {
    if name.is_empty() || !is_object_name(name) {
        return Err(DecodeError::value(field, "not the name of a Kubernetes object"));
    }
    Ok(())
}

/// The number of workloads of a policy.
pub(super) fn workload_count(count: usize) -> Result<(), DecodeError> {
    if count > MAX_WORKLOADS {
        return Err(DecodeError::value("workloads", "more than a policy may have"));
    }
    Ok(())
}

/// The port of a workload.
pub(super) fn port(port: Option<u16>) -> Result<(), DecodeError> {
    if port == Some(0) {
        return Err(DecodeError::value("port", "not a port"));
    }
    Ok(())
}

/// The number of labels of a workload.
pub(super) fn label_count(count: usize) -> Result<(), DecodeError> {
    if count > MAX_WORKLOAD_LABELS {
        return Err(DecodeError::value("labels", "more than a workload may have"));
    }
    Ok(())
}

/// A label of a workload.
pub(super) fn label(key: &str, value: &str) -> Result<(), DecodeError> {
    if !is_label_key(key) || !is_label_value(value) {
        return Err(DecodeError::value("labels", NOT_LABELS));
    }
    Ok(())
}

/// The reason for labels that no workload has.
pub(super) const NOT_LABELS: &str = "not labels of Kubernetes, each once";

/// The number of regexes of all policies.
pub(super) fn regexes(count: usize) -> Result<(), DecodeError> {
    if count > MAX_REGEXES_PER_PROXY {
        return Err(DecodeError::value("policies", "more regexes than one proxy may have"));
    }
    Ok(())
}

/// The number of places that the policies take in a proxy with all their labels, where all their ports count.
pub(super) fn places<'p>(policies: impl Iterator<Item = Counted<'p>>) -> Result<(), DecodeError> {
    let mut ports: Vec<u16> = Vec::new();
    let mut places = 0_usize;
    for Counted { blocks, hosts, workloads } in policies {
        for port in workloads.iter().filter_map(Narrowing::port) {
            if let Err(place) = ports.binary_search(&port) {
                ports.insert(place, port);
            }
        }
        places = places.saturating_add(blocks.saturating_mul(hosts));
    }
    if places.saturating_mul(ports.len().saturating_add(1)) > MAX_PLACES_PER_PROXY {
        return Err(DecodeError::value(
            "policies",
            "more hosts, rules and ports than one proxy may have",
        ));
    }
    Ok(())
}
