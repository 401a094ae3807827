//! Certificates: what the webhook shows to the API server. Made here, kept in a Secret that all replicas share, replaced
//! before they expire.
//!
//! The operator's own authority signs the certificate. Before the authority expires, a new one joins it in `ca.crt`,
//! and signs only after clients have had time to trust both.

mod inspection;
pub mod installation;
pub mod secret;
pub mod serving;

#[cfg(test)]
mod tests;

use std::fmt;
use std::slice::from_ref;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::UnixTime;

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

// === impl Content ===

impl Content {
    /// A new authority, and a certificate for these names signed by it. The API server uses the first name.
    ///
    /// # Errors
    ///
    /// Fails if the names are none, or there is no randomness.
    pub fn new(names: &[String], now: UnixTime) -> Result<Self, rcgen::Error> {
        Self::default().with_authority(now)?.with_certificate(names, now)
    }

    /// This content with a new certificate, by the first authority.
    fn with_certificate(&self, names: &[String], now: UnixTime) -> Result<Self, rcgen::Error> {
        let authority_key =
            str::from_utf8(&self.authority_key).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        let authorities = str::from_utf8(&self.authorities)
            .map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
        let issuer = Issuer::from_ca_cert_pem(authorities, KeyPair::from_pem(authority_key)?)?;
        let mut params = params("corsward webhook", LIFETIME, now);
        params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?.pem().into_bytes();
        Ok(Self { certificate, key: key.serialize_pem().into_bytes(), ..self.clone() })
    }

    /// This content with a new authority in front of the others.
    fn with_authority(&self, now: UnixTime) -> Result<Self, rcgen::Error> {
        let mut params = params("corsward webhook authority", AUTHORITY_LIFETIME, now);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let mut authorities = params.self_signed(&key)?.pem().into_bytes();
        authorities.extend(&self.authorities);
        Ok(Self { authorities, authority_key: key.serialize_pem().into_bytes(), ..self.clone() })
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").finish_non_exhaustive()
    }
}

/// Returns why a Secret's content is to be renewed, and the new content; `None` if it is good for now. An error: the
/// content cannot be made.
pub fn step(
    content: Option<&Content>,
    names: &[String],
    now: UnixTime,
) -> Option<(RenewalReason, Result<Content, rcgen::Error>)> {
    let whole = |why| Some((why, Content::new(names, now)));
    let Some(content) = content else { return whole(RenewalReason::Missing) };
    let known = match Authorities::read(content, now) {
        Ok(known) => known,
        // Nothing of it is kept: an authority that somebody else put there must not be trusted.
        Err(damage) => return whole(RenewalReason::Useless(damage)),
    };
    let certificate = |why| Some((why, content.with_certificate(names, now)));
    let verified = |leaf: Leaf| leaf.verified(&known.valid, names, now);
    let leaf = match Leaf::read(content, now).and_then(verified) {
        Ok(leaf) => leaf,
        Err(damage) => return certificate(RenewalReason::Useless(damage)),
    };
    let (newest, is_old) = (&known.newest, leaf.certificate.is_old(now));
    if leaf.verified(from_ref(newest), names, now).is_err() {
        let settled = newest.age(now) >= BACKDATED.saturating_add(SETTLING);
        return if settled { certificate(RenewalReason::AuthoritySettled) } else { None };
    }
    if is_old {
        return certificate(RenewalReason::CertificateOld);
    }
    let valid = Content { authorities: known.to_pem(), ..content.clone() };
    if newest.is_old(now) {
        return Some((RenewalReason::AuthorityOld, valid.with_authority(now)));
    }
    known.expired.then_some((RenewalReason::AuthorityExpired, Ok(valid)))
}

#[expect(clippy::arithmetic_side_effects, reason = "a few years beside today do not overflow")]
fn params(name: &str, lifetime: Duration, now: UnixTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_secs());
    params.not_before = now - BACKDATED;
    params.not_after = now + lifetime;
    params
}
