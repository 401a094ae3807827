//! Candidate: a configuration that was read, before it comes into force. A shell whose instances share an engine reads without it: the
//! bytes may be megabytes.

use corsward_policy::wire::OnInvalid;

use crate::configuration::{self, Configuration, Unusable};
use crate::host::{Labels, PluginHost};

/// A configuration that was read for one proxy, with the bytes that it came in.
#[derive(Debug)]
pub struct Candidate<'b> {
    pub(crate) bytes: &'b [u8],
    pub(crate) outcome: Result<Configuration, Refused>,
}

/// A configuration that cannot run, and what runs in its place.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) unusable: Unusable,
    /// The last good one of the plugin, if its publisher asks for it and there was one in this process.
    pub(crate) last_good: Option<Configuration>,
}

// === impl Candidate ===

impl<'b> Candidate<'b> {
    /// Reads a configuration.
    pub fn read(host: &impl PluginHost, bytes: &'b [u8]) -> Self {
        let outcome = read(host, bytes).map_err(|unusable| {
            let keeps = unusable.on_invalid == OnInvalid::Keep;
            let last_good = keeps.then(|| host.last_good()).flatten();
            let last_good = last_good.and_then(|bytes| read(host, &bytes).ok());
            Refused { unusable, last_good }
        });
        Self { bytes, outcome }
    }
}

/// Reads a configuration, and keeps the policies for this proxy.
fn read(host: &impl PluginHost, bytes: &[u8]) -> Result<Configuration, Unusable> {
    let mut configuration = configuration::read(bytes)?;
    if configuration.compiled.needs_labels() {
        let own = host.own_labels();
        let has_label = &mut |key: &str, value: &str| own.has(key, value);
        configuration.compiled = configuration.compiled.for_proxy(has_label);
    }
    Ok(configuration)
}
