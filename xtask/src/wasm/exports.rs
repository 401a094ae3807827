//! The module's exports: the callbacks that the filter uses, and no others.
//!
//! The SDK offers every callback there is. A proxy calls each one that it finds, the one for bodies
//! with every chunk of every body, and all of their code is in the module.

use anyhow::{Result, bail};
use walrus::Module;

/// The exports that stay.
pub(super) const KEPT: [&str; 10] = [
    "memory",
    "_initialize",
    "proxy_abi_version_0_2_1",
    "proxy_on_memory_allocate",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_context_create",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    // The SDK forgets a context when it is told of its end; else memory grows with every request.
    "proxy_on_delete",
];

/// The module without the rest, and without what only the rest used.
///
/// # Errors
///
/// Fails if it is no module, or lacks a callback that the filter needs.
pub(super) fn strip(module: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::from_buffer(module)?;
    let offered: Vec<_> =
        module.exports.iter().map(|export| (export.id(), export.name.clone())).collect();
    if let Some(missing) = KEPT.iter().find(|kept| offered.iter().all(|(_, name)| name != *kept)) {
        bail!("the module does not export {missing}");
    }
    for (id, name) in offered {
        if !KEPT.contains(&name.as_str()) {
            module.exports.delete(id);
        }
    }
    walrus::passes::gc::run(&mut module);
    Ok(module.emit_wasm())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use walrus::{FunctionBuilder, ModuleConfig};

    use super::*;
    use crate::paths;

    /// A module that exports functions of these names.
    fn exporting(names: &[&str]) -> Vec<u8> {
        let mut module = Module::with_config(ModuleConfig::new());
        for name in names {
            let function = FunctionBuilder::new(&mut module.types, &[], &[]);
            let function = function.finish(Vec::new(), &mut module.funcs);
            module.exports.add(name, function);
        }
        module.emit_wasm()
    }

    #[test]
    fn only_what_is_kept_stays_and_its_functions_with_it() {
        let module = exporting(&[&KEPT[..], &["proxy_on_request_body", "proxy_on_log"]].concat());
        let stripped = Module::from_buffer(&strip(&module).unwrap()).unwrap();
        let names: Vec<_> = stripped.exports.iter().map(|export| export.name.as_str()).collect();
        assert_eq!(names, KEPT);
        assert_eq!(stripped.funcs.iter().count(), KEPT.len());
    }

    #[test]
    fn a_callback_that_is_missing_is_named() {
        let refused = strip(&exporting(&KEPT[1..])).unwrap_err().to_string();
        assert_eq!(refused, "the module does not export memory");
    }

    /// A callback that the filter begins to use must not be removed in silence.
    #[test]
    fn every_callback_of_the_filter_is_kept() {
        let mut callbacks = 0;
        for entry in fs::read_dir(paths::root().join("filter/wasm/src")).unwrap() {
            let source = fs::read_to_string(entry.unwrap().path()).unwrap();
            for line in source.lines() {
                let Some(rest) = line.strip_prefix("    fn on_") else { continue };
                let name = rest.split('(').next().unwrap();
                let export = format!("proxy_on_{}", name.strip_prefix("http_").unwrap_or(name));
                assert!(KEPT.contains(&export.as_str()), "{export}");
                callbacks += 1;
            }
        }
        assert!(callbacks >= 4, "the filter's callbacks were not found");
    }
}
