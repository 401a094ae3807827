//! cURL command: the line that a browser's "copy as cURL" puts on the clipboard.

use anyhow::{Context as _, bail};
use corsward_browser::HeaderLine;

use super::asked::{Asked, header};
use super::words;

/// Reads a command, of a POSIX shell or of `cmd` on Windows.
pub(super) fn read(command: &str) -> anyhow::Result<Asked> {
    let words = words::split(command)?;
    let mut words = words.into_iter();
    if words.next().as_deref() != Some("curl") {
        bail!("the command does not begin with `curl`");
    }
    let mut read = Read::default();
    while let Some(word) = words.next() {
        read.take(word, &mut words)?;
    }
    let url = read.url.context("the command has no URL")?;
    let is_post = read.has_body && !read.is_get;
    let method = read.method.unwrap_or(if is_post { "POST" } else { "GET" }.to_owned());
    Ok(Asked::of_record(&url, &method, read.headers))
}

/// The parts of a command that are read so far.
#[derive(Default)]
struct Read {
    url: Option<String>,
    method: Option<String>,
    headers: Vec<HeaderLine>,
    has_body: bool,
    /// The data is a part of the URL.
    is_get: bool,
}

// === impl Read ===

impl Read {
    fn take(
        &mut self,
        word: String,
        rest: &mut impl Iterator<Item = String>,
    ) -> anyhow::Result<()> {
        let (option, attached) = split(word);
        let mut value = || {
            let value = attached.clone().or_else(|| rest.next());
            value.with_context(|| format!("`{option}` has no value"))
        };
        match option.as_str() {
            "-H" | "--header" => {
                // `Name;` is an empty value.
                let text = value()?;
                let text = text.strip_suffix(';').map_or(text.clone(), |name| format!("{name}:"));
                self.headers.push(header(&text)?);
            }
            "-X" | "--request" => self.method = Some(value()?),
            "-b" | "--cookie" => self.headers.push(("cookie".to_owned(), value()?.into_bytes())),
            "-u" | "--user" => {
                value()?;
                self.headers.push(("authorization".to_owned(), b"Basic".to_vec()));
            }
            "-G" | "--get" => self.is_get = true,
            "-I" | "--head" => self.method = Some("HEAD".to_owned()),
            "-d" | "--data" | "--data-raw" | "--data-binary" | "--data-ascii"
            | "--data-urlencode" | "-F" | "--form" | "--json" => {
                value()?;
                self.has_body = true;
            }
            "--url" => self.url = Some(value()?),
            "-A" | "--user-agent" | "-e" | "--referer" | "-o" | "--output" | "-m"
            | "--max-time" | "--connect-timeout" | "-x" | "--proxy" | "--resolve"
            | "--connect-to" | "-w" | "--write-out" | "--cacert" | "-E" | "--cert" | "--key" => {
                value()?;
            }
            // A switch.
            option if option.starts_with('-') => {}
            url => self.url = Some(url.to_owned()),
        }
        Ok(())
    }
}

/// `-XPUT` is `-X` and `PUT`.
fn split(word: String) -> (String, Option<String>) {
    const WITH_VALUE: [&str; 11] =
        ["-H", "-X", "-b", "-u", "-d", "-F", "-A", "-e", "-o", "-m", "-x"];
    let attached = WITH_VALUE.iter().find_map(|option| {
        let value = word.strip_prefix(option).filter(|value| !value.is_empty())?;
        Some(((*option).to_owned(), Some(value.to_owned())))
    });
    attached.unwrap_or((word, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use corsward_browser::CredentialsMode;

    #[test]
    fn a_copied_command_is_the_pages_request_without_what_browsers_add() {
        let asked = read(
            "curl 'https://api.example/items' \\\n  -X 'PUT' \\\n  -H 'accept: */*' \\\n  \
             -H 'content-type: application/json' -H 'origin: https://app.example' \\\n  \
             -H 'sec-fetch-mode: cors' -H 'user-agent: Mozilla/5.0' -H 'x-empty;' \\\n  \
             -b 'session=1' --data-raw '{\"a\":1}' --compressed",
        )
        .unwrap();
        assert_eq!(asked.url.as_deref(), Some("https://api.example/items"));
        assert_eq!(asked.method.as_deref(), Some("PUT"));
        assert_eq!(asked.origin.as_deref(), Some("https://app.example"));
        assert_eq!(asked.credentials, Some(CredentialsMode::Include));
        let names: Vec<&str> = asked.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["accept", "content-type", "x-empty"]);
    }

    #[test]
    fn a_body_is_posted_and_a_referrer_has_an_origin() {
        let asked = read(
            r#"curl ^"https://api.example/a^" ^
  -H ^"referer: https://app.example/page^" -d 1"#,
        )
        .unwrap();
        assert_eq!(asked.method.as_deref(), Some("POST"));
        assert_eq!(asked.origin.as_deref(), Some("https://app.example"));
        assert_eq!(asked.credentials, None);
    }

    #[test]
    fn a_command_that_is_none_is_refused() {
        for (command, want) in [
            ("wget https://a.example", "the command does not begin with `curl`"),
            ("curl 'https://a.example", "a quote of the command is not closed"),
            ("curl -s", "the command has no URL"),
            ("curl https://a.example -H", "`-H` has no value"),
        ] {
            assert_eq!(read(command).unwrap_err().to_string(), want);
        }
    }
}
