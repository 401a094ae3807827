//! `cors`: what is allowed, and to whom.

#![expect(unreachable_pub, reason = "the schema derive repeats each type inside a function")]

use corsward_policy::limits;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The allowed origins, methods and headers.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.allowOrigins) || !('*' in self.allowOrigins) || (self.allowOrigins.size() == 1 && (!has(self.allowOriginRegexes) || self.allowOriginRegexes.size() == 0) && (!has(self.allowOriginsFrom) || self.allowOriginsFrom.size() == 0))")
        .message("`*` allows every origin and stands alone: remove it, or every other origin, regex and set"),
    validation = Rule::new("!self.allowCredentials || !has(self.allowOrigins) || !('*' in self.allowOrigins) || (has(self.dangerouslyAllow) && 'AnyOriginWithCredentials' in self.dangerouslyAllow)")
        .message("`*` with allowCredentials lets every site act as the user: name the origins, or list AnyOriginWithCredentials in dangerouslyAllow")
)]
pub struct Cors {
    /// The origins that may read responses, each as browsers send it in `Origin` (Fetch, "`Origin` header"): scheme, host and
    /// port, without path and slash, and without the default port. Absent or empty: none but those of `allowOriginsFrom` and
    /// `allowOriginRegexes`.
    ///
    /// Forms: `https://shop.example`: one origin. `https://*.shop.example`: every name below `shop.example`, and not that name
    /// itself. `https://pr-*--app.shop.example`: a part of one label. `http://localhost:*`: every port. `http://192.168.1.*`:
    /// every last octet. `http://172.16.0.0/12:*` and `http://[fd00::]/8:*`: a block of addresses (CIDR, RFC 4632), every port.
    /// `app://.` and `tauri://localhost`: pages of an application. `null`: sandboxed frames of every site. `*`, alone: every
    /// origin.
    ///
    /// Permitted: `["https://shop.example", "https://*.shop.example", "http://localhost:*"]`.
    /// Refused: `["https://shop.example/"]` (CORS-E106: an origin ends before the slash), `["shop.example"]` (CORS-E103: it has
    /// a scheme), `["http://172.16.5.0/12"]` (CORS-E132: a block begins at its first address), `["*"]` with `allowCredentials`
    /// (CORS-E202).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = limits::MAX_LIST_LEN),
        inner(length(min = 1, max = limits::MAX_ORIGIN_LEN))
    )]
    pub allow_origins: Vec<String>,

    /// Sets of origins, by name, whose origins are allowed as if they stood in `allowOrigins`. A set is an `OriginSet` of the
    /// policy's own namespace. One that is missing or refused refuses the policy, and what was in force stays. Absent: none.
    ///
    /// Permitted: `[{kind: OriginSet, name: partners}]`.
    /// Refused: `[partners]` (a kind and a name), `[{kind: ConfigMap, name: partners}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::MAX_ORIGIN_SETS))]
    pub allow_origins_from: Vec<OriginSetRef>,

    /// Regular expressions of origins: the last resort. They always match the whole origin, in time linear in its length. Origins are
    /// in lower case, without default port, path and slash; an expression that matches none gets a warning. The syntax is that of
    /// Rust's regex-lite. With `allowCredentials` every host must end in a literal domain of its own: each other cause is refused by
    /// name. Absent: none.
    ///
    /// Permitted: `["https://(www|m)[.]shop[.]example"]`.
    /// Refused: `["https://.*"]` with `allowCredentials` (it lets every site in), `["(?=a)"]` (no look-around).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = limits::MAX_REGEXES),
        inner(length(min = 1, max = limits::MAX_REGEX_LEN))
    )]
    pub allow_origin_regexes: Vec<String>,

    /// The methods that may be used beside `GET`, `HEAD` and `POST`, which need no permission (Fetch, "CORS-safelisted
    /// method"). Case-sensitive. `*`: every method. Absent: those three.
    ///
    /// With `allowCredentials` browsers take `*` literally. An answer then lists the usual methods (`GET`, `HEAD`, `POST`,
    /// `PUT`, `PATCH`, `DELETE`), those written beside `*`, and the requested one.
    ///
    /// Permitted: `[PUT, PATCH, DELETE]`.
    /// Refused: `[TRACE]` (forbidden by the Fetch standard), `[GET PUT]` (one method an entry),
    /// `[P*]` (a glob).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = limits::MAX_METHODS),
        inner(length(min = 1, max = limits::MAX_METHOD_LEN))
    )]
    pub allow_methods: Vec<String>,

    /// The request headers that scripts may set beside those that need no permission (Fetch, "CORS-safelisted
    /// request-header"). In any case. `*`: every header but `authorization`, which must be named. Absent: those that need no
    /// permission, so that neither JSON nor a bearer token passes.
    ///
    /// With `allowCredentials` browsers take `*` literally. An answer then lists `content-type`, the names written beside
    /// `*`, and the requested ones.
    ///
    /// Permitted: `[authorization, content-type, x-csrftoken]`.
    /// Refused: `["x csrf"]` (not a header name), `[x-amz-*]` (a glob, which browsers take literally).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = limits::MAX_HEADERS),
        inner(length(min = 1, max = limits::MAX_HEADER_NAME_LEN))
    )]
    pub allow_headers: Vec<String>,

    /// The response headers that scripts may read beside the seven that need no permission (Fetch, "CORS-safelisted
    /// response-header name"). In any case. `*`, without `allowCredentials`: every header. Absent: those seven.
    ///
    /// Permitted: `[x-request-id, link]`.
    /// Refused: `[set-cookie]` (browsers never expose it), `[x-amz-*]` (a glob, which browsers take literally).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = limits::MAX_HEADERS),
        inner(length(min = 1, max = limits::MAX_HEADER_NAME_LEN))
    )]
    pub expose_headers: Vec<String>,

    /// Whether responses to requests with cookies, HTTP authentication or client certificates are shared (Fetch, "CORS protocol
    /// and credentials"). A bearer token that a script sets needs `allowHeaders: [authorization]`, not this.
    /// The default is `false`.
    ///
    /// Permitted: `true` with named `https://` origins.
    /// Refused: `true` with `*` (CORS-E202; see `dangerouslyAllow`), `include` (CORS-E509: write `true`).
    #[serde(default)]
    pub allow_credentials: bool,

    /// The seconds for which a browser may keep the answer to a preflight (Fetch, "CORS-preflight cache"). Browsers keep it for
    /// at most 600 (WebKit), 7200 (Chromium) or 86400 seconds (Firefox). `0`: not at all. Absent: the header is not sent, and browsers
    /// keep it for 5 seconds.
    ///
    /// Permitted: `600`.
    /// Refused: `-1` (CORS-E002), `10m` (CORS-E509: write `600`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = limits::MAX_MAX_AGE))]
    pub max_age: Option<i64>,

    /// Words that lift one protection each; the refusal names the word. Absent: every protection holds.
    ///
    /// Permitted: `[InsecureOriginWithCredentials]` beside an `http://` origin with credentials.
    /// Refused: `[Everything]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub dangerously_allow: Vec<Danger>,
}

/// A set of origins, by name.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OriginSetRef {
    /// The kind: `OriginSet`.
    ///
    /// Permitted: `OriginSet`.
    /// Refused: `ConfigMap`.
    pub kind: OriginSetKind,
    /// The name, in the policy's namespace.
    ///
    /// Permitted: `partners`.
    /// Refused: `shop/partners` (sets are of the policy's own namespace).
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A source of origins.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginSetKind {
    /// An `OriginSet`.
    OriginSet,
}

/// A protection, by the danger it keeps out.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// `*`, `http://*` or `https://*` with `allowCredentials`; likewise a block of addresses that are not private ones and
    /// that is wider than a /16 of IPv4 or a /32 of IPv6.
    AnyOriginWithCredentials,
    /// Any host of a different scheme, such as `moz-extension://*`, with `allowCredentials`.
    AnyAppOriginWithCredentials,
    /// `http://` origins with `allowCredentials`.
    InsecureOriginWithCredentials,
    /// With `allowCredentials`, a star over names that are open to registration.
    PublicSuffixSubdomains,
    /// `null` with `allowCredentials`.
    NullOriginWithCredentials,
    /// With `allowCredentials`, a regular expression that does not end in a domain of its own.
    UnboundedRegexWithCredentials,
}
