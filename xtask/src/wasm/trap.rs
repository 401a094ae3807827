//! The shipped module with one check more: a request with very many header lines ends the virtual machine, as a panic would.
//!
//! The trap is put into the finished module, so no source of the filter and no build of it can hold one.

use anyhow::{Context, Result};
use walrus::ir::BinaryOp;
use walrus::{FunctionBuilder, Module, ValType};

/// From how many header lines on, pseudo-headers counted, a request traps: far more than any request has, fewer than Envoy's 100.
pub const TRAPPED_HEADERS: i32 = 64;

/// The callback for requests: a context, how many header lines, whether a body follows; an action.
const CALLBACK: &str = "proxy_on_request_headers";

/// `module` with the check before its callback for requests.
///
/// # Errors
///
/// Fails if it is no module, or has no such callback.
pub(super) fn set(module: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::from_buffer(module)?;
    let callback = module.exports.get_func(CALLBACK).context("the module takes no requests")?;
    let parameters = [ValType::I32; 3];
    let mut checked = FunctionBuilder::new(&mut module.types, &parameters, &[ValType::I32]);
    let [context, headers, end] = parameters.map(|parameter| module.locals.add(parameter));
    checked
        .func_body()
        .local_get(headers)
        .i32_const(TRAPPED_HEADERS)
        .binop(BinaryOp::I32GeU)
        .if_else(
            None,
            |then| {
                then.unreachable();
            },
            |_| {},
        )
        .local_get(context)
        .local_get(headers)
        .local_get(end)
        .call(callback);
    let checked = checked.finish(vec![context, headers, end], &mut module.funcs);
    module.exports.remove(CALLBACK)?;
    module.exports.add(CALLBACK, checked);
    Ok(module.emit_wasm())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_module_that_takes_requests_can_trap_on_one() {
        let mut module = Module::default();
        assert!(set(&module.emit_wasm()).is_err());
        let parameters = [ValType::I32; 3];
        let mut continues = FunctionBuilder::new(&mut module.types, &parameters, &[ValType::I32]);
        let arguments = parameters.map(|parameter| module.locals.add(parameter));
        continues.func_body().i32_const(0);
        let continues = continues.finish(arguments.to_vec(), &mut module.funcs);
        module.exports.add(CALLBACK, continues);
        let trapping = Module::from_buffer(&set(&module.emit_wasm()).unwrap()).unwrap();
        assert_eq!(trapping.funcs.iter().count(), 2, "the callback and the check before it");
        assert_eq!(trapping.exports.iter().count(), 1);
    }
}
