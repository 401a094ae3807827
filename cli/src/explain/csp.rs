//! CSP: the source list that a page's Content Security Policy has for `fetch`.

use corsward_browser::PageOrigin;
use url::Url;

/// Returns the directive that does not allow a connection to `url`.
pub(super) fn refusing(policy: &str, url: &Url, page: &PageOrigin) -> Option<String> {
    let directives = policy.split([';', ',']).map(str::trim);
    let named = |name: &str| {
        let is_named = |directive: &&str| {
            directive
                .split_ascii_whitespace()
                .next()
                .is_some_and(|it| it.eq_ignore_ascii_case(name))
        };
        directives.clone().find(is_named)
    };
    let directive = named("connect-src").or_else(|| named("default-src"))?;
    let mut sources = directive.split_ascii_whitespace().skip(1);
    if sources.any(|source| allows(source, url, page)) { None } else { Some(directive.to_owned()) }
}

/// CSP, "match url to source expression", as far as `connect-src` needs it.
fn allows(source: &str, url: &Url, page: &PageOrigin) -> bool {
    let source = source.to_ascii_lowercase();
    if source == "*" {
        return matches!(url.scheme(), "http" | "https");
    }
    if source == "'self'" {
        return page.is_of(url);
    }
    if let Some(scheme) = source.strip_suffix(':') {
        return is_scheme(scheme, url);
    }
    let (scheme, rest) = match source.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, source.as_str()),
    };
    let (authority, path) = match rest.split_once('/') {
        Some((authority, path)) => (authority, format!("/{path}")),
        None => (rest, String::new()),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_host = url.host_str().is_some_and(|actual| match host.strip_prefix("*.") {
        Some(rest) => actual.strip_suffix(rest).is_some_and(|before| before.ends_with('.')),
        None => actual == host || host == "*",
    });
    let is_port = match port {
        None => url.port().is_none(),
        Some("*") => true,
        Some(port) => port.parse().ok() == url.port_or_known_default(),
    };
    let is_path = match path.as_str() {
        "" | "/" => true,
        folder if folder.ends_with('/') => url.path().starts_with(folder),
        file => url.path() == file,
    };
    scheme.is_none_or(|scheme| is_scheme(scheme, url)) && is_host && is_port && is_path
}

/// `http:` covers `https:` too.
fn is_scheme(scheme: &str, url: &Url) -> bool {
    scheme == url.scheme() || (scheme == "http" && url.scheme() == "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_list_is_matched_by_scheme_host_port_and_path() {
        let url = Url::parse("https://api.example/v1/items").unwrap();
        let page = PageOrigin::of(&Url::parse("https://app.example").unwrap());
        for (policy, want) in [
            ("script-src 'self'", None),
            ("default-src 'self'", Some("default-src 'self'")),
            ("default-src 'self'; connect-src *", None),
            ("connect-src 'none'", Some("connect-src 'none'")),
            ("connect-src https:", None),
            ("connect-src api.example", None),
            ("connect-src *.example", None),
            ("connect-src *.api.example", Some("connect-src *.api.example")),
            ("connect-src https://api.example:8443", Some("connect-src https://api.example:8443")),
            ("connect-src https://api.example:*/v1/", None),
            ("connect-src https://api.example/v2/", Some("connect-src https://api.example/v2/")),
        ] {
            assert_eq!(refusing(policy, &url, &page).as_deref(), want, "{policy}");
        }
    }
}
