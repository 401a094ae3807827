//! Page origin: the origin of a page as `Origin` names it.

use std::fmt;

use url::Url;

/// The origin of a page. The URL standard calls origins of other schemes than those of the web opaque, and yet shells of applications and
/// extensions send theirs: `tauri://localhost`, `capacitor://localhost`, `chrome-extension://…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOrigin(String);

/// Schemes whose pages send `null` in every browser.
const OPAQUE: [&str; 7] =
    ["about", "blob", "data", "file", "filesystem", "javascript", "view-source"];

// === impl PageOrigin ===

impl PageOrigin {
    /// The origin of a sandboxed frame, or of a file: `null`.
    pub fn opaque() -> Self {
        Self("null".to_owned())
    }

    /// The origin of a page at `url`.
    pub fn of(url: &Url) -> Self {
        let origin = url.origin();
        if origin.is_tuple() {
            return Self(origin.ascii_serialization());
        }
        match url.host_str().filter(|host| !host.is_empty() && !OPAQUE.contains(&url.scheme())) {
            None => Self::opaque(),
            Some(host) => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                Self(format!("{}://{host}{port}", url.scheme()))
            }
        }
    }

    /// Is it `null`?
    pub fn is_opaque(&self) -> bool {
        self.0 == "null"
    }

    /// Does a URL have that origin? An opaque one is that of no URL.
    pub fn is_of(&self, url: &Url) -> bool {
        !self.is_opaque() && *self == Self::of(url)
    }

    /// Its text on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PageOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_that_of_the_page_as_it_is_sent() {
        for (url, want) in [
            ("https://app.example/cart", "https://app.example"),
            ("https://App.example:443", "https://app.example"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("tauri://localhost", "tauri://localhost"),
            ("capacitor://localhost/index.html", "capacitor://localhost"),
            ("chrome-extension://abcdef/popup.html", "chrome-extension://abcdef"),
            ("app://page:8080", "app://page:8080"),
            ("file:///index.html", "null"),
            ("file://host/index.html", "null"),
            ("about:blank", "null"),
            ("data:text/html,a", "null"),
        ] {
            let origin = PageOrigin::of(&Url::parse(url).unwrap());
            assert_eq!(origin.as_str(), want, "{url}");
        }
        let url = Url::parse("https://app.example:443/a").unwrap();
        assert!(PageOrigin::of(&url).is_of(&url));
        assert!(!PageOrigin::opaque().is_of(&Url::parse("about:blank").unwrap()));
    }
}
