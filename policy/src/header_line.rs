//! Header line: a line that sets a response header or a property, as in the configuration of a different system.

/// The name and the value in a line such as `add_header Access-Control-Allow-Origin https://app.example always;` of nginx,
/// `Access-Control-Allow-Origin: https://app.example` of HTTP and `spring.….allowed-origins[0]=https://app.example` of Spring;
/// `None`: it is no such line.
pub fn read(line: &str) -> Option<(&str, &str)> {
    let line = bare(line);
    let (written, value) = directive(line).or_else(|| field(line)).or_else(|| property(line))?;
    let name = bare(written);
    let value = value.trim_end().strip_suffix("always").unwrap_or(value);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (!name.is_empty() && name.chars().all(is_name)).then(|| (name, bare(value)))
}

/// The last name of a property, without its index: `allowed-origins`, of `spring.….allowed-origins[0]`.
pub fn last_name(property: &str) -> &str {
    let indexed = property.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
    let is_index = |index: &str| index.bytes().all(|byte| byte.is_ascii_digit());
    let property = match indexed {
        Some((property, index)) if is_index(index) => property,
        _ => property,
    };
    property.rsplit('.').next().unwrap_or(property)
}

/// `text` without white space and quotes around it, and without the semicolon that ends it.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || "\"'`;".contains(c))
}

/// A directive of nginx, of Apache or of `HAProxy`.
fn directive(line: &str) -> Option<(&str, &str)> {
    const DIRECTIVES: [&str; 12] = [
        "add_header",
        "more_set_headers",
        "Header always set",
        "Header always add",
        "Header always merge",
        "Header set",
        "Header add",
        "Header append",
        "Header merge",
        "Header setifempty",
        "http-response set-header",
        "http-response add-header",
    ];
    let rest = DIRECTIVES.iter().find_map(|directive| line.strip_prefix(directive))?;
    let rest = rest.strip_prefix(char::is_whitespace)?.trim_start_matches([' ', '\t', '"', '\'']);
    rest.split_once([':', ' ', '\t'])
}

/// A field of HTTP's CORS protocol.
fn field(line: &str) -> Option<(&str, &str)> {
    const PREFIX: &str = "access-control-";
    let (name, value) = line.split_once(':')?;
    let is_of_cors = name.get(..PREFIX.len())?.eq_ignore_ascii_case(PREFIX);
    is_of_cors.then(|| (name.trim_end(), value))
}

/// A property, whose name has dots.
fn property(line: &str) -> Option<(&str, &str)> {
    let (property, value) = line.split_once('=')?;
    let property = property.trim_end();
    let is_property = property.contains('.')
        && property.starts_with(|c: char| c.is_ascii_alphabetic())
        && property.chars().all(|c| c.is_ascii_alphanumeric() || "._-[]/*".contains(c));
    is_property.then(|| (last_name(property), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_name_and_a_value() {
        const ORIGIN: &str = "Access-Control-Allow-Origin";
        for (line, want) in [
            (
                "add_header Access-Control-Allow-Origin https://a.example always;",
                Some((ORIGIN, "https://a.example")),
            ),
            (
                "add_header 'Access-Control-Allow-Origin' 'https://a.example';",
                Some((ORIGIN, "https://a.example")),
            ),
            (
                "more_set_headers \"Access-Control-Allow-Origin: https://a.example\";",
                Some((ORIGIN, "https://a.example")),
            ),
            (
                "Header always set Access-Control-Allow-Origin \"https://a.example\"",
                Some((ORIGIN, "https://a.example")),
            ),
            (
                "http-response set-header Access-Control-Allow-Origin https://a.example",
                Some((ORIGIN, "https://a.example")),
            ),
            ("Access-Control-Allow-Origin: https://a.example", Some((ORIGIN, "https://a.example"))),
            ("access-control-max-age:600", Some(("access-control-max-age", "600"))),
            (
                "add_header Access-Control-Allow-Methods 'GET, PUT' always",
                Some(("Access-Control-Allow-Methods", "GET, PUT")),
            ),
            (
                "spring.cloud.gateway.globalcors.cors-configurations.[/**].allowed-origins[0]=https://a.example",
                Some(("allowed-origins", "https://a.example")),
            ),
            (
                "management.endpoints.web.cors.allowed-methods = GET,PUT",
                Some(("allowed-methods", "GET,PUT")),
            ),
            ("https://a.example", None),
            ("https://a.example/?b=c", None),
            ("a.example", None),
            ("x-a: b", None),
            ("add_header", None),
            ("", None),
        ] {
            assert_eq!(read(line), want, "{line}");
        }
    }
}
