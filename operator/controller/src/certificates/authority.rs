//! An authority of our own: makes itself, and signs certificates.

use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::UnixTime;

use super::{AUTHORITY_LIFETIME, BACKDATED, LIFETIME, Names, NotMade};

/// An authority and its key.
#[derive(Debug)]
pub(super) struct Authority {
    pem: String,
    key_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

// === impl Authority ===

impl Authority {
    pub(super) fn new(now: UnixTime) -> Result<Self, NotMade> {
        let mut params = params("corsward webhook authority", AUTHORITY_LIFETIME, now);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let key_pem = key.serialize_pem();
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { pem, key_pem, issuer: Issuer::new(params, key) })
    }

    /// The first of the authorities, whose key this is. Earlier checks found invalid authorities.
    pub(super) fn read(authorities: &[u8], key: &[u8]) -> Result<Self, NotMade> {
        let pem = std::str::from_utf8(authorities)
            .map_err(|_| rcgen::Error::CouldNotParseCertificate)?
            .to_owned();
        let key_pem =
            std::str::from_utf8(key).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?.to_owned();
        let issuer = Issuer::from_ca_cert_pem(&pem, KeyPair::from_pem(&key_pem)?)?;
        Ok(Self { pem, key_pem, issuer })
    }

    /// A certificate for these names, and its key.
    pub(super) fn sign(&self, names: &Names, now: UnixTime) -> Result<(Vec<u8>, Vec<u8>), NotMade> {
        let mut params = params("corsward webhook", LIFETIME, now);
        params.subject_alt_names = CertificateParams::new(names.0.clone())?.subject_alt_names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate: Certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem().into_bytes(), key.serialize_pem().into_bytes()))
    }

    /// Itself, and its key.
    pub(super) fn into_pem(self) -> (Vec<u8>, Vec<u8>) {
        (self.pem.into_bytes(), self.key_pem.into_bytes())
    }
}

fn params(name: &str, lifetime: Duration, now: UnixTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let made = Duration::from_secs(now.as_secs());
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    #[expect(clippy::arithmetic_side_effects, reason = "a few years beside today do not overflow")]
    {
        params.not_before = epoch + made.saturating_sub(BACKDATED);
        params.not_after = epoch + made.saturating_add(lifetime);
    }
    params
}
