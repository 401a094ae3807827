//! Inspection of a Secret that should hold certificates: parsed, verified, and dated.

use std::sync::Arc;
use std::time::Duration;

use pem::{EncodeConfig, LineEnding, Pem};
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
#[error("{0}")]
pub struct Damage(String);

/// A certificate, and when it is valid.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    der: CertificateDer<'static>,
    not_before: u64,
    /// Its end, in seconds of the Unix epoch.
    pub(super) not_after: u64,
    may_sign: bool,
}

/// The authorities of a Secret that have not expired.
#[derive(Debug)]
pub(super) struct Authorities {
    pub(super) newest: Certificate,
    others: Vec<Certificate>,
    /// There were further ones, which have expired.
    pub(super) expired: bool,
}

/// The certificate of a Secret.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) certificate: Certificate,
    /// The newest authority signed it.
    pub(super) is_by_newest: bool,
}

// === impl Damage ===

impl Damage {
    fn no_certificate(field: &str) -> Self {
        Self(format!("`{field}` holds no certificate in PEM"))
    }

    fn no_key(field: &str) -> Self {
        Self(format!("`{field}` holds no private key in PEM"))
    }

    fn not_today(field: &str) -> Self {
        Self(format!("`{field}` is not valid today"))
    }
}

// === impl Certificate ===

impl Certificate {
    fn of(der: CertificateDer<'static>, field: &str) -> Result<Self, Damage> {
        let (_, parsed) =
            X509Certificate::from_der(&der).map_err(|_| Damage::no_certificate(field))?;
        let seconds = |time: i64| u64::try_from(time).unwrap_or_default();
        let not_before = seconds(parsed.validity().not_before.timestamp());
        let not_after = seconds(parsed.validity().not_after.timestamp());
        let may_sign = parsed.is_ca();
        Ok(Self { der, not_before, not_after, may_sign })
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
            return Err(Damage("`ca.crt` holds more authorities than belong there".to_owned()));
        }
        let newest = all.remove(0);
        if !newest.may_sign {
            return Err(Damage("`ca.crt` does not begin with an authority".to_owned()));
        }
        if !newest.is_valid(now) {
            return Err(Damage::not_today("ca.crt"));
        }
        certified(vec![newest.der.clone()], &content.authority_key, "ca.key", "ca.crt")?;
        let count = all.len();
        all.retain(|other| other.is_valid(now));
        let expired = all.len() < count;
        Ok(Self { newest, others: all, expired })
    }

    /// Those that have not expired, the newest first.
    fn all(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.newest).chain(&self.others)
    }

    /// The same in PEM.
    pub(super) fn to_pem(&self) -> Vec<u8> {
        let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
        let block = |one: &Certificate| {
            pem::encode_config(&Pem::new("CERTIFICATE", one.der.to_vec()), lines)
        };
        self.all().map(block).collect::<String>().into_bytes()
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
        verify(&certificate, known.all(), names, now)?;
        let is_by_newest = verify(&certificate, [&known.newest], names, now).is_ok();
        Ok(Self { certificate, is_by_newest })
    }
}

/// The certificate to serve, of any signer.
pub(super) fn served(content: &Content, now: UnixTime) -> Result<Certificate, Damage> {
    let certificate = certificates(&content.certificate, "tls.crt")?.remove(0);
    certified(vec![certificate.der.clone()], &content.key, "tls.key", "tls.crt")?;
    if !certificate.is_valid(now) {
        return Err(Damage::not_today("tls.crt"));
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
fn certificates(pem: &[u8], field: &str) -> Result<Vec<Certificate>, Damage> {
    let mut all = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        let der = der.map_err(|_| Damage::no_certificate(field))?;
        all.push(Certificate::of(der, field)?);
    }
    if all.is_empty() { Err(Damage::no_certificate(field)) } else { Ok(all) }
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key_pem: &[u8],
    key: &str,
    certificate: &str,
) -> Result<CertifiedKey, Damage> {
    let der = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| Damage::no_key(key))?;
    let certified =
        CertifiedKey::from_der(chain, der, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                Damage(format!("`{key}` is not the key of `{certificate}`"))
            }
            _ => Damage::no_key(key),
        })?;
    // Whatever cannot sign a handshake would only be found out by the API server.
    let schemes = [
        SignatureScheme::ECDSA_NISTP256_SHA256,
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureScheme::ED25519,
        SignatureScheme::RSA_PSS_SHA256,
    ];
    certified.key.choose_scheme(&schemes).ok_or(Damage::no_key(key))?;
    Ok(certified)
}

fn verify<'c>(
    certificate: &Certificate,
    authorities: impl IntoIterator<Item = &'c Certificate>,
    Names(names): &Names,
    now: UnixTime,
) -> Result<(), Damage> {
    let authorities: Vec<&Certificate> = authorities.into_iter().collect();
    let vouches = |name: &String| -> anyhow::Result<()> {
        let mut roots = RootCertStore::empty();
        for authority in &authorities {
            roots.add(authority.der.clone())?;
        }
        let (roots, provider) = (Arc::new(roots), Arc::new(provider()));
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build()?;
        let server = ServerName::try_from(name.clone())?;
        verifier.verify_server_cert(&certificate.der, &[], &server, &[], now)?;
        Ok(())
    };
    names.iter().try_for_each(|name| {
        let damage = |why| Damage(format!("`tls.crt` does not vouch for `{name}`: {why}"));
        vouches(name).map_err(damage)
    })
}

pub(super) fn provider() -> CryptoProvider {
    ring::default_provider()
}
