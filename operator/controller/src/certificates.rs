//! Certificates: what the webhook shows to the API server. Made here, kept in a Secret that all replicas share, replaced
//! before they expire.
//!
//! The operator's own authority signs the certificate. Before the authority expires, a new one joins it in `ca.crt`,
//! and signs only after clients have had time to trust both.

mod authority;
mod inspection;
pub mod installation;
pub mod secret;
pub mod serving;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use rustls::pki_types::UnixTime;

use authority::Authority;
pub use inspection::Damage;
use inspection::{Authorities, Leaf};

const DAY: u64 = 24 * 60 * 60;
/// For how long an authority is valid.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(365 * DAY);
/// For how long a certificate is valid.
const LIFETIME: Duration = Duration::from_secs(90 * DAY);
/// Clocks differ: everything is valid from a little before it was made.
const BACKDATED: Duration = Duration::from_hours(1);
/// Time for which a new authority is published before it signs.
const SETTLING: Duration = Duration::from_mins(10);

/// The names a certificate is for; the first is the one the API server uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(Vec<String>);

/// The content of the Secret, in PEM.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// `tls.crt`: the certificate.
    pub certificate: Vec<u8>,
    /// `tls.key`: its key.
    pub key: Vec<u8>,
    /// `ca.crt`: who may have signed it; the one that signs the next comes first.
    pub authorities: Vec<u8>,
    /// `ca.key`: the key of the first of them.
    pub authority_key: Vec<u8>,
}

/// The desired content of the Secret.
#[derive(Debug)]
pub struct SecretStep {
    /// The reason of the renewal.
    pub why: RenewalReason,
    /// The content.
    pub content: Content,
}

/// The reason of a renewal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenewalReason {
    /// Nothing is there.
    #[error("there is none yet")]
    Missing,
    /// Something is there, and of no use.
    #[error("what is there is of no use: {0}")]
    Useless(Damage),
    /// The certificate should be replaced before it expires.
    #[error("the certificate is two thirds through its life")]
    CertificateOld,
    /// The authority should be replaced before it expires.
    #[error("the authority is two thirds through its life")]
    AuthorityOld,
    /// The certificate is still signed by the authority before.
    #[error("the new authority has been shown for long enough")]
    AuthoritySettled,
    /// An authority without use.
    #[error("an authority has expired")]
    AuthorityExpired,
}

/// Nothing can be made.
#[derive(Debug, thiserror::Error)]
#[error("no certificate can be made: {0}")]
pub struct NotMade(#[from] rcgen::Error);

// === impl Names ===

impl Names {
    /// The names of a Service, and the further names of the webhook.
    #[must_use]
    pub fn of(service: &str, namespace: &str, others: &[String]) -> Self {
        let mut names = vec![format!("{service}.{namespace}.svc")];
        names.extend(others.iter().cloned());
        Self(names)
    }
}

// === impl Content ===

impl Content {
    /// A new authority, and a certificate signed by it.
    ///
    /// # Errors
    ///
    /// Fails if the names are none, or there is no randomness.
    pub fn new(names: &Names, now: UnixTime) -> Result<Self, NotMade> {
        let authority = Authority::new(now)?;
        let (certificate, key) = authority.sign(names, now)?;
        let (authorities, authority_key) = authority.into_pem();
        Ok(Self { certificate, key, authorities, authority_key })
    }

    /// This content with a new certificate, by the first authority.
    fn with_certificate(&self, names: &Names, now: UnixTime) -> Result<Self, NotMade> {
        let authority = Authority::read(&self.authorities, &self.authority_key)?;
        let (certificate, key) = authority.sign(names, now)?;
        Ok(Self { certificate, key, ..self.clone() })
    }

    /// This content with a new authority in front of what is known.
    fn with_authority(&self, known: &Authorities, now: UnixTime) -> Result<Self, NotMade> {
        let (mut authorities, authority_key) = Authority::new(now)?.into_pem();
        authorities.extend(known.to_pem());
        Ok(Self { authorities, authority_key, ..self.clone() })
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").finish_non_exhaustive()
    }
}

/// Returns the renewal of a Secret's content; `None` if it is good for now.
///
/// # Errors
///
/// Fails if something should be made and cannot.
pub fn step(
    content: Option<&Content>,
    names: &Names,
    now: UnixTime,
) -> Result<Option<SecretStep>, NotMade> {
    let whole = |why| Ok(Some(SecretStep { why, content: Content::new(names, now)? }));
    let Some(content) = content else { return whole(RenewalReason::Missing) };
    let known = match Authorities::read(content, now) {
        Ok(known) => known,
        // Nothing of it is kept: an authority that somebody else put there must not be trusted.
        Err(damage) => return whole(RenewalReason::Useless(damage)),
    };
    let certificate =
        |why| Ok(Some(SecretStep { why, content: content.with_certificate(names, now)? }));
    let leaf = match Leaf::read(content, &known, names, now) {
        Ok(leaf) => leaf,
        Err(damage) => return certificate(RenewalReason::Useless(damage)),
    };
    let newest = known.newest();
    if !leaf.is_by_newest {
        let settled = newest.age(now) >= BACKDATED.saturating_add(SETTLING);
        return if settled { certificate(RenewalReason::AuthoritySettled) } else { Ok(None) };
    }
    if leaf.certificate.is_old(now) {
        return certificate(RenewalReason::CertificateOld);
    }
    if newest.is_old(now) {
        let content = content.with_authority(&known, now)?;
        return Ok(Some(SecretStep { why: RenewalReason::AuthorityOld, content }));
    }
    if known.has_expired_ones() {
        let content = Content { authorities: known.to_pem(), ..content.clone() };
        return Ok(Some(SecretStep { why: RenewalReason::AuthorityExpired, content }));
    }
    Ok(None)
}
