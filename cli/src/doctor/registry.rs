//! Registry of images: whether it has a manifest, asked as a client without credentials (OCI Distribution Specification 1.1).

use std::time::Duration;

use serde_json::Value;
use ureq::http::header::{ACCEPT, AUTHORIZATION, WWW_AUTHENTICATE};
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

use crate::https;

/// The longest wait for an answer of a registry, of which one check takes up to three.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The kinds of manifests that an image may have.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// The answer of a registry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The manifest is there for all.
    There,
    Absent,
    /// Credentials are asked for, by that status.
    Refused(u16),
    /// There is no answer that says it.
    Unknown(String),
}

/// An image in a registry.
#[derive(Debug, PartialEq, Eq)]
struct Image<'i> {
    registry: &'i str,
    repository: String,
    /// A digest or a tag.
    reference: &'i str,
}

/// Asks for the manifest of an image: `REGISTRY/NAME@sha256:DIGEST` or `REGISTRY/NAME:TAG`.
pub(super) fn ask(image: &str) -> Answer {
    let image = Image::of(image);
    let agent: Agent = https::config().timeout_global(Some(TIMEOUT)).build().into();
    let url = image.url();
    let first = match send(&agent, &url, None) {
        Ok(response) => response,
        Err(error) => return Answer::Unknown(error.to_string()),
    };
    if first.status() != 401 {
        return of_status(first.status().as_u16());
    }
    // A public image needs a token too, which is for all.
    let challenge = first.headers().get(WWW_AUTHENTICATE).and_then(|it| it.to_str().ok());
    let Some(token) = challenge.and_then(|challenge| token(&agent, challenge)) else {
        return Answer::Refused(401);
    };
    match send(&agent, &url, Some(&token)) {
        Ok(response) => of_status(response.status().as_u16()),
        Err(error) => Answer::Unknown(error.to_string()),
    }
}

fn of_status(status: u16) -> Answer {
    match status {
        200 => Answer::There,
        404 => Answer::Absent,
        401 | 403 => Answer::Refused(status),
        status => Answer::Unknown(format!("it answers {status}")),
    }
}

fn send(agent: &Agent, url: &str, token: Option<&str>) -> Result<Response<Body>, ureq::Error> {
    let mut request = Request::head(url).header(ACCEPT, MANIFESTS);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    agent.run(request.body(())?)
}

/// The token for all that a challenge names: `Bearer realm="…",service="…",scope="…"`.
fn token(agent: &Agent, challenge: &str) -> Option<String> {
    let (scheme, parameters) = challenge.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameter = |name: &str| {
        let (_, rest) = parameters.split_once(&format!("{name}=\""))?;
        Some(rest.split_once('"')?.0)
    };
    let mut realm = url::Url::parse(parameter("realm")?).ok()?;
    for name in ["service", "scope"] {
        if let Some(value) = parameter(name) {
            realm.query_pairs_mut().append_pair(name, value);
        }
    }
    let mut response = agent.get(realm.as_str()).call().ok()?;
    let body = response.body_mut().read_to_string().ok()?;
    let answer: Value = serde_json::from_str(&body).ok()?;
    let token = answer.get("token").or_else(|| answer.get("access_token"))?;
    token.as_str().map(str::to_owned)
}

// === impl Image ===

impl<'i> Image<'i> {
    /// Reads a name as container engines do: without a registry it is one of Docker Hub.
    fn of(image: &'i str) -> Self {
        let (tagged, digest) = match image.split_once('@') {
            Some((tagged, digest)) => (tagged, Some(digest)),
            None => (image, None),
        };
        let (name, tag) = without_tag(tagged);
        // A digest wins over a tag.
        let reference = digest.or(tag).unwrap_or("latest");
        let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost";
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if is_host(first) => (first, rest),
            _ => ("docker.io", name),
        };
        let is_official = registry == "docker.io" && !repository.contains('/');
        let repository =
            if is_official { format!("library/{repository}") } else { repository.to_owned() };
        let registry = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
        Self { registry, repository, reference }
    }

    /// The URL of its manifest. A registry of this machine speaks plain HTTP, as container engines expect.
    fn url(&self) -> String {
        let host = self.registry.split(':').next().unwrap_or_default();
        let scheme = if matches!(host, "localhost" | "127.0.0.1") { "http" } else { "https" };
        let Self { registry, repository, reference } = self;
        format!("{scheme}://{registry}/v2/{repository}/manifests/{reference}")
    }
}

/// A name and its tag; the port of a registry is none.
fn without_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_container_engines_read_it() {
        for (image, url) in [
            ("r.example/a/b@sha256:00", "https://r.example/v2/a/b/manifests/sha256:00"),
            ("r.example:5000/a:1@sha256:00", "https://r.example:5000/v2/a/manifests/sha256:00"),
            ("localhost:5000/a:1", "http://localhost:5000/v2/a/manifests/1"),
            ("corsward:1", "https://registry-1.docker.io/v2/library/corsward/manifests/1"),
            ("docker.io/a/b", "https://registry-1.docker.io/v2/a/b/manifests/latest"),
        ] {
            assert_eq!(Image::of(image).url(), url, "{image}");
        }
    }
}
