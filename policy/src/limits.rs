//! Every bound on an untrusted length, each with its derivation.

/// Longest scheme of an origin. RFC 3986 sets no bound; the longest in use (`safari-web-extension`) has 20.
pub const MAX_SCHEME_LEN: usize = 64;
/// Longest host name in its textual form (RFC 1035 section 2.3.4: 255 octets on the wire).
pub const MAX_HOST_LEN: usize = 253;
/// Longest label of a host name (RFC 1035 section 2.3.4). It bounds how many look-ups stars inside labels take.
pub const MAX_LABEL_LEN: usize = 63;
/// Longest port: `65535`.
pub const MAX_PORT_LEN: usize = 5;
/// Longest serialized origin: `scheme "://" host ":" port`.
pub const MAX_ORIGIN_LEN: usize =
    MAX_SCHEME_LEN + "://".len() + MAX_HOST_LEN + ":".len() + MAX_PORT_LEN;
/// Longest `Access-Control-Request-Headers`. Browsers send what a script sets; proxies cap all headers at 8 to 64 KiB.
pub const MAX_REQUEST_HEADERS_LEN: usize = 8 * 1024;
/// Most names in `Access-Control-Request-Headers`, empty elements included.
pub const MAX_REQUEST_HEADERS: usize = 256;
/// Longest method name in a policy; the longest registered one (`UPDATEREDIRECTREF`) has 17.
pub const MAX_METHOD_LEN: usize = 64;
/// Longest header name in a policy.
pub const MAX_HEADER_NAME_LEN: usize = 256;
/// Most entries in any one list of a policy.
pub const MAX_LIST_LEN: usize = 16_384;
/// Most sets that one `cors` block takes origins from.
pub const MAX_ORIGIN_SETS: usize = 16;
/// Most patterns in the `allowedOrigins` of one guardrail.
pub const MAX_GUARDRAIL_ORIGINS: usize = 1024;
/// Most origins that are never rejected.
pub const MAX_TRUSTED_ORIGINS: usize = 1024;
/// Most host names of a policy.
pub const MAX_HOSTNAMES: usize = 256;
/// Longest host name of a policy: `*.` and a host.
pub const MAX_HOSTNAME_LEN: usize = "*.".len() + MAX_HOST_LEN;
/// Most rules of a policy.
pub const MAX_RULES: usize = 512;
/// Most methods in one list; the registry has 40.
pub const MAX_METHODS: usize = 64;
/// Most header names in one list.
pub const MAX_HEADERS: usize = 256;
/// Longest `maxAge`: delta-seconds (RFC 9111 section 1.2.2) beyond 31 bits overflow in some caches.
pub const MAX_MAX_AGE: i64 = 2_147_483_647;
/// Most regexes in one `cors` block: every refused origin runs through all of them.
pub const MAX_REGEXES: usize = 16;
/// Most regexes in one proxy: each is compiled on every configuration change.
pub const MAX_REGEXES_PER_PROXY: usize = 1024;
/// Longest regex in a policy.
pub const MAX_REGEX_LEN: usize = 1024;
/// Largest compiled form of all regexes of one block together, in bytes, as `regex-lite` counts them: a refused origin
/// runs through it with every one of its bytes, in about a millisecond at worst.
pub const MAX_REGEX_SIZE: usize = 16 * 1024;
/// Most steps of the analysis of one policy's regexes, each text once. An ordinary regex takes some 15,000, so that as many as one
/// proxy may have are analyzed.
pub const MAX_REGEX_STEPS: usize = 16_000_000;
/// Longest path of a rule.
pub const MAX_RULE_PATH_LEN: usize = 1024;
/// Most workloads that one policy is narrowed to: more than targets may be named in one policy.
pub const MAX_WORKLOADS: usize = 256;
/// Most labels that one workload is known by.
pub const MAX_WORKLOAD_LABELS: usize = 64;
/// Longest key of a label (Kubernetes: a DNS subdomain, `/`, a name of 63 characters).
pub const MAX_LABEL_KEY_LEN: usize = MAX_HOST_LEN + "/".len() + MAX_LABEL_VALUE_LEN;
/// Longest value of a label (Kubernetes).
pub const MAX_LABEL_VALUE_LEN: usize = 63;
/// Most places that one policy takes in a proxy's tables: its hosts, times its rules and its own `cors`.
pub const MAX_PLACES: usize = 65_536;
/// Most places in the tables of one proxy: those of each policy, in each table that there is: one for each port that
/// policies are narrowed to, and one for all others. A place takes some 150 bytes.
pub const MAX_PLACES_PER_PROXY: usize = 4 * MAX_PLACES;
/// Longest compiled configuration a filter reads: four times what a publisher may write.
pub const MAX_WIRE_LEN: usize = 4 * 1024 * 1024;

const _: () = assert!(MAX_ORIGIN_LEN == 326);
const _: () = assert!(MAX_REGEXES < MAX_REGEXES_PER_PROXY);
const _: () = assert!(MAX_LIST_LEN < MAX_PLACES);
const _: () = assert!(MAX_REQUEST_HEADERS < MAX_REQUEST_HEADERS_LEN);
