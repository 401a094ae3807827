//! Header list: the header lines of a request or a response, and the values that the standard reads from them.

/// A header line: its name in any case, and its value.
pub type HeaderLine = (String, Vec<u8>);

/// Fetch, "get" (header list): the values of all lines of that name, joined by `, `.
pub fn combined(lines: &[HeaderLine], name: &str) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> = values(lines, name).collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}

/// The values of all lines of that name.
pub fn values<'l>(lines: &'l [HeaderLine], name: &'l str) -> impl Iterator<Item = &'l [u8]> {
    lines
        .iter()
        .filter(move |(present, _)| present.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_slice())
}

/// A value that is no list of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTokens(
    /// The value.
    pub Vec<u8>,
);

/// Fetch, "extract header list values" of a `#token` header; an absent header is an empty list.
///
/// # Errors
///
/// Fails if an element is no token.
pub fn list_values(lines: &[HeaderLine], name: &str) -> Result<Vec<Vec<u8>>, NotTokens> {
    let Some(value) = combined(lines, name) else {
        return Ok(Vec::new());
    };
    let elements = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    // RFC 9110 section 5.6.1.2: a recipient ignores a reasonable number of empty elements.
    let elements: Vec<Vec<u8>> =
        elements.filter(|element| !element.is_empty()).map(<[u8]>::to_vec).collect();
    if elements.iter().all(|element| is_token(element)) {
        Ok(elements)
    } else {
        Err(NotTokens(value))
    }
}

/// RFC 9110 section 5.6.2.
pub fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

/// Fetch, "HTTP whitespace bytes" at both ends, removed.
pub fn normalized(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b'\n' | b'\r' | b'\t' | b' ');
    let mut rest = value;
    while let Some((_, after)) = rest.split_first().filter(|(first, _)| is_space(first)) {
        rest = after;
    }
    while let Some((_, before)) = rest.split_last().filter(|(last, _)| is_space(last)) {
        rest = before;
    }
    rest
}
