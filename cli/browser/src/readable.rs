//! Readable headers: the response headers that a page gets to read after the CORS check has passed.

use crate::check::CorsRequest;
use crate::credentials::CredentialsMode;
use crate::header_list::{HeaderLine, list_values};

/// Fetch, "CORS-safelisted response-header name".
const SAFELISTED: [&str; 7] = [
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
];

/// The names of a response, in lower case, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readable {
    /// The page reads these.
    pub readable: Vec<String>,
    /// The page does not read these.
    pub hidden: Vec<String>,
}

/// Fetch, "CORS filtered response".
pub fn readable_headers(request: &CorsRequest, lines: &[HeaderLine]) -> Readable {
    // Main fetch, step 14: a list that is none exposes nothing.
    let exposed = list_values(lines, "access-control-expose-headers").unwrap_or_default();
    let everything =
        request.credentials != CredentialsMode::Include && exposed.iter().any(|name| name == b"*");
    let is_exposed = |name: &str| {
        everything || exposed.iter().any(|listed| listed.eq_ignore_ascii_case(name.as_bytes()))
    };
    let mut names: Vec<String> = lines.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    let (readable, hidden) = names.into_iter().partition(|name| {
        let name = name.as_str();
        // Fetch, "forbidden response-header name".
        !matches!(name, "set-cookie" | "set-cookie2")
            && (SAFELISTED.contains(&name) || is_exposed(name))
    });
    Readable { readable, hidden }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_safelisted_and_exposed_headers() {
        const ACEH: &str = "Access-Control-Expose-Headers";
        use CredentialsMode::{Include, Omit};
        for (why, credentials, exposed, want) in [
            ("nothing exposed", Omit, "", "content-type"),
            ("a name in any case", Omit, "X-ID", "content-type x-id"),
            ("never a cookie", Omit, "set-cookie", "content-type"),
            ("any", Omit, "*", "access-control-expose-headers content-type x-id x-other"),
            ("a name, with credentials", Include, "*", "content-type"),
            ("no list of tokens", Omit, "x id", "content-type"),
        ] {
            let line = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
            let lines = [
                line("Content-Type", "text/plain"),
                line("X-Id", "1"),
                line("x-other", "1"),
                line("Set-Cookie", "a=b"),
                line(ACEH, exposed),
            ];
            let request = CorsRequest { origin: b"https://a.example".to_vec(), credentials };
            assert_eq!(readable_headers(&request, &lines).readable.join(" "), want, "{why}");
        }
    }
}
