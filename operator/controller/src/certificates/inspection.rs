//! Inspection of a Secret that should hold certificates: parsed, verified, and dated.

use std::iter::once;
use std::sync::Arc;
use std::time::Duration;

use pem::{EncodeConfig, LineEnding, Pem};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Content;

/// Most authorities that stand side by side: two, and one for good measure.
const MAX_AUTHORITIES: usize = 3;

/// The damage of a Secret's content: a field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` {1}")]
pub struct Damage(&'static str, String);

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
    /// Its chain and its key, as a server presents them.
    pub(super) certified: CertifiedKey,
}

// === impl Certificate ===

impl Certificate {
    fn of(der: CertificateDer<'static>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(&der).ok()?;
        let (validity, may_sign) = (parsed.validity(), parsed.is_ca());
        let seconds = |time: i64| u64::try_from(time).unwrap_or_default();
        let not_before = seconds(validity.not_before.timestamp());
        let not_after = seconds(validity.not_after.timestamp());
        Some(Self { der, not_before, not_after, may_sign })
    }

    pub(super) const fn age(&self, now: UnixTime) -> Duration {
        Duration::from_secs(now.as_secs().saturating_sub(self.not_before))
    }

    /// Two thirds of its life are over.
    pub(super) fn is_old(&self, now: UnixTime) -> bool {
        let life = self.not_after.saturating_sub(self.not_before);
        self.age(now).as_secs().saturating_mul(3) >= life.saturating_mul(2)
    }

    fn check_date(&self, field: &'static str, now: UnixTime) -> Result<(), Damage> {
        let is_valid = (self.not_before..self.not_after).contains(&now.as_secs());
        is_valid.then_some(()).ok_or_else(|| Damage(field, "is not valid today".to_owned()))
    }
}

// === impl Authorities ===

impl Authorities {
    pub(super) fn read(content: &Content, now: UnixTime) -> Result<Self, Damage> {
        let field = "ca.crt";
        let mut others = certificates(&content.authorities, field)?;
        if others.len() > MAX_AUTHORITIES {
            return Err(Damage(field, "holds more authorities than belong there".to_owned()));
        }
        let newest = others.remove(0);
        if !newest.may_sign {
            return Err(Damage(field, "does not begin with an authority".to_owned()));
        }
        newest.check_date(field, now)?;
        certified(vec![newest.der.clone()], &content.authority_key, "ca.key", field)?;
        let count = others.len();
        others.retain(|other| other.check_date(field, now).is_ok());
        let expired = others.len() < count;
        Ok(Self { newest, others, expired })
    }

    /// The certificate beside them, where one of them signed it.
    pub(super) fn leaf(
        &self,
        content: &Content,
        names: &[String],
        now: UnixTime,
    ) -> Result<Leaf, Damage> {
        let leaf = Leaf::read(content, now)?;
        verify(&leaf.certificate, self.all(), names, now)?;
        Ok(leaf)
    }

    /// Those that have not expired, the newest first.
    fn all(&self) -> impl Iterator<Item = &Certificate> {
        once(&self.newest).chain(&self.others)
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
    /// The certificate to serve, of any signer.
    pub(super) fn read(content: &Content, now: UnixTime) -> Result<Self, Damage> {
        let mut chain = certificates(&content.certificate, "tls.crt")?;
        let ders = chain.iter().map(|certificate| certificate.der.clone()).collect();
        let certified = certified(ders, &content.key, "tls.key", "tls.crt")?;
        let certificate = chain.remove(0);
        certificate.check_date("tls.crt", now)?;
        Ok(Self { certificate, certified })
    }
}

/// At least one certificate.
pub(super) fn certificates(pem: &[u8], field: &'static str) -> Result<Vec<Certificate>, Damage> {
    let all = CertificateDer::pem_slice_iter(pem).map(|der| Certificate::of(der.ok()?));
    let all = all.collect::<Option<Vec<_>>>().filter(|all| !all.is_empty());
    all.ok_or_else(|| Damage(field, "holds no certificate in PEM".to_owned()))
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key_pem: &[u8],
    key: &'static str,
    certificate: &str,
) -> Result<CertifiedKey, Damage> {
    let none = || Damage(key, "holds no private key in PEM".to_owned());
    let der = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| none())?;
    // Whatever cannot sign a handshake would only be found out by the API server.
    let schemes = [
        SignatureScheme::ECDSA_NISTP256_SHA256,
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureScheme::ED25519,
        SignatureScheme::RSA_PSS_SHA256,
    ];
    match CertifiedKey::from_der(chain, der, &default_provider()) {
        Ok(certified) if certified.key.choose_scheme(&schemes).is_some() => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(Damage(key, format!("is not the key of `{certificate}`")))
        }
        _ => Err(none()),
    }
}

/// Checks that one of the authorities signed the certificate, and that it is for each of the names.
pub(super) fn verify<'c>(
    certificate: &Certificate,
    authorities: impl IntoIterator<Item = &'c Certificate>,
    names: &[String],
    now: UnixTime,
) -> Result<(), Damage> {
    let authorities: Vec<&Certificate> = authorities.into_iter().collect();
    let vouches = |name: &str| -> anyhow::Result<()> {
        let mut roots = RootCertStore::empty();
        for authority in &authorities {
            roots.add(authority.der.clone())?;
        }
        let (roots, provider) = (Arc::new(roots), Arc::new(default_provider()));
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build()?;
        let server = ServerName::try_from(name)?;
        verifier.verify_server_cert(&certificate.der, &[], &server, &[], now)?;
        Ok(())
    };
    names.iter().try_for_each(|name| {
        let damage = |why| Damage("tls.crt", format!("does not vouch for `{name}`: {why}"));
        vouches(name).map_err(damage)
    })
}
