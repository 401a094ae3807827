//! Inspection of a Secret that should hold certificates: parsed, verified, and dated.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Content, Names};

/// Most authorities that stand side by side: two, and one for good measure.
const MAX_AUTHORITIES: usize = 3;

/// The damage of a Secret's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// No certificate where one should be.
    #[error("`{0}` holds no certificate in PEM")]
    NoCertificate(&'static str),
    /// No key where one should be.
    #[error("`{0}` holds no private key in PEM")]
    NoKey(&'static str),
    /// The key belongs to a different certificate.
    #[error("`{key}` is not the key of `{certificate}`")]
    OtherKey {
        /// The key's field.
        key: &'static str,
        /// The certificate's field.
        certificate: &'static str,
    },
    /// More authorities than we ever write.
    #[error("`ca.crt` holds more authorities than belong there")]
    TooMany,
    /// It may not sign.
    #[error("`ca.crt` does not begin with an authority")]
    NoAuthority,
    /// It has expired, or is not valid yet.
    #[error("`{0}` is not valid today")]
    NotToday(&'static str),
    /// The certificate is not for these names, or not by these authorities.
    #[error("`tls.crt` does not vouch for `{name}`: {why}")]
    NotVouched {
        /// The name.
        name: String,
        /// The verifier's message.
        why: String,
    },
}

/// A certificate, and when it is valid.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    der: CertificateDer<'static>,
    not_before: u64,
    not_after: u64,
}

/// The authorities of a Secret that have not expired.
#[derive(Debug)]
pub(super) struct Authorities {
    newest: Certificate,
    others: Vec<Certificate>,
    expired: bool,
}

/// The certificate of a Secret.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) certificate: Certificate,
    /// The newest authority signed it.
    pub(super) is_by_newest: bool,
}

// === impl Certificate ===

impl Certificate {
    fn of(der: CertificateDer<'static>, field: &'static str) -> Result<Self, Damage> {
        let (_, parsed) =
            X509Certificate::from_der(&der).map_err(|_| Damage::NoCertificate(field))?;
        let seconds = |time: i64| u64::try_from(time).unwrap_or_default();
        let validity = parsed.validity();
        let not_before = seconds(validity.not_before.timestamp());
        let not_after = seconds(validity.not_after.timestamp());
        Ok(Self { der, not_before, not_after })
    }

    fn may_sign(&self) -> bool {
        X509Certificate::from_der(&self.der).is_ok_and(|(_, parsed)| parsed.is_ca())
    }

    /// Its end, in seconds of the Unix epoch.
    pub(super) const fn not_after(&self) -> u64 {
        self.not_after
    }

    pub(super) const fn age(&self, now: UnixTime) -> Duration {
        Duration::from_secs(now.as_secs().saturating_sub(self.not_before))
    }

    /// Two thirds of its life are over.
    pub(super) fn is_old(&self, now: UnixTime) -> bool {
        let life = self.not_after.saturating_sub(self.not_before);
        self.age(now).as_secs().saturating_mul(3) >= life.saturating_mul(2)
    }

    const fn is_valid(&self, now: UnixTime) -> bool {
        self.not_before <= now.as_secs() && now.as_secs() < self.not_after
    }
}

// === impl Authorities ===

impl Authorities {
    pub(super) fn read(content: &Content, now: UnixTime) -> Result<Self, Damage> {
        let mut all = certificates(&content.authorities, "ca.crt")?;
        if all.len() > MAX_AUTHORITIES {
            return Err(Damage::TooMany);
        }
        let newest = all.remove(0);
        if !newest.may_sign() {
            return Err(Damage::NoAuthority);
        }
        if !newest.is_valid(now) {
            return Err(Damage::NotToday("ca.crt"));
        }
        certified(vec![newest.der.clone()], &content.authority_key, "ca.key", "ca.crt")?;
        let count = all.len();
        all.retain(|other| other.is_valid(now));
        let expired = all.len() < count;
        Ok(Self { newest, others: all, expired })
    }

    pub(super) const fn newest(&self) -> &Certificate {
        &self.newest
    }

    pub(super) const fn has_expired_ones(&self) -> bool {
        self.expired
    }

    /// Those that have not expired, the newest first.
    pub(super) fn to_pem(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for authority in std::iter::once(&self.newest).chain(&self.others) {
            text.extend(pem(&authority.der));
        }
        text
    }
}

// === impl Leaf ===

impl Leaf {
    pub(super) fn read(
        content: &Content,
        known: &Authorities,
        names: &Names,
        now: UnixTime,
    ) -> Result<Self, Damage> {
        let certificate = served(content, now)?;
        let all: Vec<&Certificate> = std::iter::once(&known.newest).chain(&known.others).collect();
        verify(&certificate, &all, names, now)?;
        let is_by_newest = verify(&certificate, &[&known.newest], names, now).is_ok();
        Ok(Self { certificate, is_by_newest })
    }
}

/// The certificate to serve, of any signer.
pub(super) fn served(content: &Content, now: UnixTime) -> Result<Certificate, Damage> {
    let certificate = certificates(&content.certificate, "tls.crt")?.remove(0);
    certified(vec![certificate.der.clone()], &content.key, "tls.key", "tls.crt")?;
    if !certificate.is_valid(now) {
        return Err(Damage::NotToday("tls.crt"));
    }
    Ok(certificate)
}

/// The same, where the authorities beside it signed it.
pub(super) fn vouched(
    content: &Content,
    names: &Names,
    now: UnixTime,
) -> Result<Certificate, Damage> {
    let known = Authorities::read(content, now)?;
    Leaf::read(content, &known, names, now).map(|leaf| leaf.certificate)
}

/// The chain and the key that a server presents.
pub(super) fn shown(content: &Content) -> Result<CertifiedKey, Damage> {
    let chain = certificates(&content.certificate, "tls.crt")?;
    let chain = chain.into_iter().map(|certificate| certificate.der).collect();
    certified(chain, &content.key, "tls.key", "tls.crt")
}

/// Are these authorities, as far as can be seen?
pub(super) fn is_bundle(pem: &[u8]) -> bool {
    certificates(pem, "ca.crt").is_ok()
}

/// At least one certificate.
fn certificates(pem: &[u8], field: &'static str) -> Result<Vec<Certificate>, Damage> {
    let mut all = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        let der = der.map_err(|_| Damage::NoCertificate(field))?;
        all.push(Certificate::of(der, field)?);
    }
    if all.is_empty() { Err(Damage::NoCertificate(field)) } else { Ok(all) }
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key_pem: &[u8],
    key: &'static str,
    certificate: &'static str,
) -> Result<CertifiedKey, Damage> {
    let der = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| Damage::NoKey(key))?;
    let certified =
        CertifiedKey::from_der(chain, der, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => Damage::OtherKey { key, certificate },
            _ => Damage::NoKey(key),
        })?;
    // Whatever cannot sign a handshake would only be found out by the API server.
    let schemes = [
        SignatureScheme::ECDSA_NISTP256_SHA256,
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureScheme::ED25519,
        SignatureScheme::RSA_PSS_SHA256,
    ];
    certified.key.choose_scheme(&schemes).ok_or(Damage::NoKey(key))?;
    Ok(certified)
}

fn verify(
    certificate: &Certificate,
    authorities: &[&Certificate],
    names: &Names,
    now: UnixTime,
) -> Result<(), Damage> {
    let Names(names) = names;
    for name in names {
        let not_vouched = |why: String| Damage::NotVouched { name: name.clone(), why };
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority.der.clone()).map_err(|error| not_vouched(error.to_string()))?;
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider()))
                .build()
                .map_err(|error| not_vouched(error.to_string()))?;
        let server =
            ServerName::try_from(name.clone()).map_err(|error| not_vouched(error.to_string()))?;
        verifier
            .verify_server_cert(&certificate.der, &[], &server, &[], now)
            .map_err(|error| not_vouched(error.to_string()))?;
    }
    Ok(())
}

pub(super) fn provider() -> CryptoProvider {
    ring::default_provider()
}

fn pem(der: &CertificateDer<'_>) -> Vec<u8> {
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("CERTIFICATE", der.to_vec()), lines).into_bytes()
}
