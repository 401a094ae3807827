//! Inspection of a Secret that should hold certificates: parsed, verified, and dated.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use pem::{EncodeConfig, LineEnding, Pem};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

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
    /// In seconds of the Unix epoch.
    pub(super) valid: Range<u64>,
    may_sign: bool,
}

/// The authorities of a Secret that have not expired.
#[derive(Debug)]
pub(super) struct Authorities {
    pub(super) newest: Certificate,
    /// All of them, the newest first.
    pub(super) valid: Vec<Certificate>,
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
        let seconds = |time: ASN1Time| u64::try_from(time.timestamp()).unwrap_or_default();
        let valid = seconds(validity.not_before)..seconds(validity.not_after);
        Some(Self { der, valid, may_sign })
    }

    pub(super) const fn age(&self, now: UnixTime) -> Duration {
        Duration::from_secs(now.as_secs().saturating_sub(self.valid.start))
    }

    /// Two thirds of its life are over.
    pub(super) fn is_old(&self, now: UnixTime) -> bool {
        let life = self.valid.end.saturating_sub(self.valid.start);
        self.age(now).as_secs().saturating_mul(3) >= life.saturating_mul(2)
    }

    fn check_date(&self, field: &'static str, now: UnixTime) -> Result<(), Damage> {
        let is_valid = self.valid.contains(&now.as_secs());
        is_valid.then_some(()).ok_or_else(|| Damage(field, "is not valid today".to_owned()))
    }
}

// === impl Authorities ===

impl Authorities {
    pub(super) fn read(content: &Content, now: UnixTime) -> Result<Self, Damage> {
        let field = "ca.crt";
        let (newest, mut valid) = certificates(&content.authorities, field)?;
        let count = valid.len();
        if count > MAX_AUTHORITIES {
            return Err(Damage(field, "holds more authorities than belong there".to_owned()));
        }
        if !newest.may_sign {
            return Err(Damage(field, "does not begin with an authority".to_owned()));
        }
        newest.check_date(field, now)?;
        certified(vec![newest.der.clone()], &content.authority_key, "ca.key", field)?;
        valid.retain(|one| one.check_date(field, now).is_ok());
        let expired = valid.len() < count;
        Ok(Self { newest, valid, expired })
    }

    /// All of them in PEM.
    pub(super) fn to_pem(&self) -> Vec<u8> {
        let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
        let block = |one: &Certificate| {
            pem::encode_config(&Pem::new("CERTIFICATE", one.der.to_vec()), lines)
        };
        self.valid.iter().map(block).collect::<String>().into_bytes()
    }
}

// === impl Leaf ===

impl Leaf {
    /// The certificate to serve, of any signer.
    pub(super) fn read(content: &Content, now: UnixTime) -> Result<Self, Damage> {
        let (certificate, chain) = certificates(&content.certificate, "tls.crt")?;
        let chain = chain.into_iter().map(|certificate| certificate.der).collect();
        let certified = certified(chain, &content.key, "tls.key", "tls.crt")?;
        certificate.check_date("tls.crt", now)?;
        Ok(Self { certificate, certified })
    }

    /// The same, where one of the authorities signed it, and it is for each of the names.
    pub(super) fn verified(
        self,
        authorities: &[Certificate],
        names: &[String],
        now: UnixTime,
    ) -> Result<Self, Damage> {
        let vouches = |name: &str| -> anyhow::Result<()> {
            let mut roots = RootCertStore::empty();
            authorities.iter().try_for_each(|authority| roots.add(authority.der.clone()))?;
            let (roots, provider) = (Arc::new(roots), Arc::new(default_provider()));
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build()?;
            let server = ServerName::try_from(name)?;
            verifier.verify_server_cert(&self.certificate.der, &[], &server, &[], now)?;
            Ok(())
        };
        for name in names {
            let damage = |why| Damage("tls.crt", format!("does not vouch for `{name}`: {why}"));
            vouches(name).map_err(damage)?;
        }
        Ok(self)
    }
}

/// The first certificate, and all of them.
pub(super) fn certificates(
    pem: &[u8],
    field: &'static str,
) -> Result<(Certificate, Vec<Certificate>), Damage> {
    let all = CertificateDer::pem_slice_iter(pem).map(|der| Certificate::of(der.ok()?));
    let all: Vec<Certificate> = all.collect::<Option<_>>().unwrap_or_default();
    let first = all.first().cloned();
    let first = first.ok_or_else(|| Damage(field, "holds no certificate in PEM".to_owned()))?;
    Ok((first, all))
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key_pem: &[u8],
    key: &'static str,
    certificate: &str,
) -> Result<CertifiedKey, Damage> {
    let none = || Damage(key, "holds no private key in PEM".to_owned());
    let der = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| none())?;
    // Every kind of key that ring loads can sign a handshake.
    CertifiedKey::from_der(chain, der, &default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            Damage(key, format!("is not the key of `{certificate}`"))
        }
        _ => none(),
    })
}
