//! What is done to a response: the upstream's CORS headers go, ours come, and `Vary` is merged.

use std::borrow::Cow;

use crate::decision::{Diagnosis, Edits, Headers, ResponsePlan, Sharing};
use crate::draft::UpstreamCorsHeaders;
use crate::header_name::{ACAO, ACEH, CORS_RESPONSE_HEADERS, VARY};
use crate::request::Response;
use crate::syntax::list_elements;

impl ResponsePlan {
    /// The edits of a response; of a proxy's own local replies too.
    #[must_use]
    pub fn edits(&self, response: &impl Response) -> Edits<'_> {
        let mut set = Headers::default();
        let keep = self.rule_set.settings.upstream_cors_headers == UpstreamCorsHeaders::Keep
            && response.header(ACAO).is_some();
        if !keep {
            self.push_sharing(&mut set);
        }
        if self.vary_origin {
            let vary = response.header(VARY);
            if let Some(merged) = merge_vary(vary.as_deref(), b"Origin") {
                set.push(VARY, merged);
            }
        }
        Diagnosis::push(self.diagnosis.clone(), &mut set);
        Edits { replace: !keep, set }
    }

    fn push_sharing<'p>(&'p self, set: &mut Headers<'p>) {
        let cors = &self.rule_set.cors;
        match &self.sharing {
            Sharing::Nobody => return,
            Sharing::Anyone => set.push_sharing(cors, Cow::Borrowed(b"*")),
            Sharing::Origin(origin) => set.push_sharing(cors, Cow::Borrowed(origin)),
        }
        if let Some(expose) = &cors.expose {
            set.push(ACEH, &**expose);
        }
    }
}

impl Edits<'_> {
    /// Names to remove, before setting: the upstream's CORS headers that are not replaced anyway.
    pub fn remove(&self) -> impl Iterator<Item = &'static str> {
        let owned = if self.replace { CORS_RESPONSE_HEADERS } else { &[] };
        owned.iter().copied().filter(|name| !self.set.contains(name))
    }
}

/// `vary` with `field` in it; `None` where it is covered already.
fn merge_vary(vary: Option<&[u8]>, field: &'static [u8]) -> Option<Cow<'static, [u8]>> {
    let Some(vary) = vary.filter(|vary| list_elements(vary).any(|element| !element.is_empty()))
    else {
        return Some(Cow::Borrowed(field));
    };
    // RFC 9110 section 12.5.5: `*` covers everything.
    let covers = |element: &[u8]| element == b"*" || element.eq_ignore_ascii_case(field);
    if list_elements(vary).any(covers) {
        return None;
    }
    Some(Cow::Owned([vary, b", ", field].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vary_is_merged_never_repeated_never_overwritten() {
        for (why, vary, want) in [
            ("absent", None, Some("Origin")),
            ("empty", Some(""), Some("Origin")),
            ("other", Some("Accept"), Some("Accept, Origin")),
            ("several lines joined", Some("Accept,Cookie"), Some("Accept,Cookie, Origin")),
            ("there already", Some("Origin"), None),
            ("in another case", Some("accept, ORIGIN"), None),
            ("everything", Some("*"), None),
            ("everything, among others", Some("Accept, *"), None),
            ("a longer name is another name", Some("X-Origin"), Some("X-Origin, Origin")),
        ] {
            let merged = merge_vary(vary.map(str::as_bytes), b"Origin");
            assert_eq!(merged.as_deref(), want.map(str::as_bytes), "{why}");
        }
    }
}
