//! Certificates as time passes, and after damage.

use super::*;
use crate::certificates::inspection::{served, vouched};
use crate::certificates::serving::ServingCertificate;

/// Some day.
const TODAY: u64 = 1_800_000_000;

fn names() -> Names {
    Names::of("corsward", "corsward-system", &["127.0.0.1".to_owned()])
}

fn at(day: u64) -> UnixTime {
    later(day, 0)
}

fn later(day: u64, minutes: u64) -> UnixTime {
    let since = Duration::from_hours(24).saturating_mul(u32::try_from(day).unwrap());
    let since = Duration::from_secs(TODAY).saturating_add(since);
    UnixTime::since_unix_epoch(since.saturating_add(Duration::from_mins(minutes)))
}

fn made(day: u64) -> Content {
    Content::new(&names(), at(day)).unwrap()
}

fn next(content: &Content, now: UnixTime) -> Option<SecretStep> {
    step(Some(content), &names(), now).unwrap()
}

/// Verifies `content` as a client that trusts `bundle`.
fn trusts(bundle: &Content, content: &Content, now: UnixTime) -> bool {
    let (certificate, key) = (content.certificate.clone(), content.key.clone());
    let shown = Content { certificate, key, ..bundle.clone() };
    vouched(&shown, &names(), now).is_ok()
}

#[test]
fn the_first_one_is_made_whole_and_is_good_for_two_months() {
    let step = step(None, &names(), at(0)).unwrap().unwrap();
    assert_eq!(step.why, RenewalReason::Missing);
    assert!(trusts(&step.content, &step.content, at(0)));
    assert!(ServingCertificate::default().load(&step.content).is_ok());
    for day in [0, 1, 30, 59] {
        assert!(next(&step.content, at(day)).is_none(), "day {day}");
    }
}

#[test]
fn a_certificate_is_replaced_before_it_expires_and_whoever_trusted_it_trusts_the_next() {
    let first = made(0);
    let step = next(&first, at(61)).unwrap();
    assert_eq!(step.why, RenewalReason::CertificateOld);
    assert_ne!(step.content.certificate, first.certificate);
    assert_ne!(step.content.key, first.key);
    assert_eq!(step.content.authorities, first.authorities);
    assert!(trusts(&first, &step.content, at(61)));
    assert!(next(&step.content, at(61)).is_none());
}

#[test]
fn a_year_and_more_passes_without_a_day_on_which_the_certificate_is_not_trusted() {
    let mut shown = made(0);
    let mut reasons = Vec::new();
    for day in 0..800 {
        let before = shown.clone();
        if let Some(step) = next(&before, at(day)) {
            reasons.push(step.why);
            shown = step.content;
        }
        // Whoever reads the bundle a day late trusts what is shown, and the other way round.
        assert!(trusts(&before, &shown, at(day)), "day {day}: the bundle is late");
        assert!(trusts(&shown, &before, at(day)), "day {day}: the certificate is late");
    }
    let count = |why: &RenewalReason| reasons.iter().filter(|reason| *reason == why).count();
    assert_eq!(count(&RenewalReason::AuthorityOld), 3, "{reasons:?}");
    assert_eq!(count(&RenewalReason::AuthoritySettled), 3, "{reasons:?}");
    assert_eq!(count(&RenewalReason::AuthorityExpired), 2, "{reasons:?}");
    assert!((10..20).contains(&count(&RenewalReason::CertificateOld)), "{reasons:?}");
    assert_eq!(reasons.len(), 8 + count(&RenewalReason::CertificateOld), "{reasons:?}");
}

#[test]
fn a_new_authority_signs_nothing_until_it_has_been_shown() {
    let first = made(0);
    let renewed = next(&first, at(59)).map_or(first, |step| step.content);
    // A certificate that is young when its authority is old.
    let young = renewed.with_certificate(&names(), at(249)).unwrap();
    let shown = next(&young, later(250, 0)).unwrap();
    assert_eq!(shown.why, RenewalReason::AuthorityOld);
    assert_eq!(shown.content.certificate, young.certificate);
    assert!(next(&shown.content, later(250, 9)).is_none());
    let signed = next(&shown.content, later(250, 11)).unwrap();
    assert_eq!(signed.why, RenewalReason::AuthoritySettled);
    assert!(trusts(&shown.content, &signed.content, at(251)));
    assert!(!trusts(&young, &signed.content, at(251)), "the old authority did not sign it");
}

const GARBAGE: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/// The replacement of a damaged content.
fn repaired(why: &str, damaged: &Content) -> Content {
    let step = next(damaged, at(1)).unwrap_or_else(|| panic!("{why}: nothing is done"));
    assert!(matches!(step.why, RenewalReason::Useless(_)), "{why}: {}", step.why);
    assert!(trusts(&step.content, &step.content, at(1)), "{why}");
    assert!(next(&step.content, at(1)).is_none(), "{why}: it is done once");
    step.content
}

#[test]
fn nothing_is_kept_of_authorities_that_are_damaged() {
    let (good, other) = (made(0), made(0));
    let with = |authorities: &[u8]| Content { authorities: authorities.to_vec(), ..good.clone() };
    let in_front = [&*other.authorities, &*good.authorities].concat();
    let (authorities, authority_key) = (good.certificate.clone(), good.key.clone());
    let leaf = Content { authorities, authority_key, ..good.clone() };
    for (why, damaged) in [
        ("an empty Secret", Content::default()),
        ("no authority", with(b"")),
        ("an authority that is no text", with(&[0xff; 9])),
        ("an authority that is no certificate", with(GARBAGE)),
        ("somebody else's authority", with(&other.authorities)),
        ("somebody else's authority in front", with(&in_front)),
        ("a crowd of authorities", with(&good.authorities.repeat(4))),
        ("no key of the authority", Content { authority_key: Vec::new(), ..good.clone() }),
        ("a certificate as authority", leaf),
    ] {
        let repaired = repaired(why, &damaged);
        assert!(!trusts(&repaired, &good, at(1)), "{why}");
        assert!(!trusts(&repaired, &other, at(1)), "{why}");
    }
}

#[test]
fn a_damaged_certificate_is_signed_again() {
    let (good, other) = (made(0), made(0));
    let with = |certificate: &[u8], key: &[u8]| {
        let (certificate, key) = (certificate.to_vec(), key.to_vec());
        Content { certificate, key, ..good.clone() }
    };
    for (why, damaged) in [
        ("no certificate", with(b"", &good.key)),
        ("a certificate that is none", with(GARBAGE, &good.key)),
        ("no key", with(&good.certificate, b"x")),
        ("the key of another", with(&good.certificate, &other.key)),
        ("somebody else's certificate", with(&other.certificate, &other.key)),
    ] {
        let repaired = repaired(why, &damaged);
        assert_eq!(repaired.authorities, good.authorities, "{why}");
    }
}

#[test]
fn what_has_expired_or_is_for_another_name_is_replaced() {
    let good = made(0);
    let expired = next(&good, at(91)).unwrap();
    assert_eq!(expired.why.to_string(), "what is there is of no use: `tls.crt` is not valid today");
    assert_eq!(expired.content.authorities, good.authorities);
    let long_expired = next(&good, at(366)).unwrap();
    assert_eq!(
        long_expired.why.to_string(),
        "what is there is of no use: `ca.crt` is not valid today"
    );
    let renamed = Names::of("cors", "corsward-system", &[]);
    let step = step(Some(&good), &renamed, at(1)).unwrap().unwrap();
    let why = step.why.to_string();
    assert!(why.contains("`tls.crt` does not vouch for `cors.corsward-system.svc`: "), "{why}");
    assert!(vouched(&step.content, &renamed, at(1)).is_ok());
}

#[test]
fn what_a_user_brings_needs_no_authority() {
    let good = made(0);
    let content = Content { authorities: Vec::new(), authority_key: Vec::new(), ..good };
    assert!(served(&content, at(1)).is_ok());
    let expired = served(&content, at(91)).unwrap_err().to_string();
    assert_eq!(expired, "`tls.crt` is not valid today");
    assert_eq!(
        served(&Content::default(), at(1)).unwrap_err().to_string(),
        "`tls.crt` holds no certificate in PEM"
    );
}

#[test]
fn a_damaged_certificate_does_not_replace_the_one_that_is_shown() {
    let serving = ServingCertificate::default();
    assert!(serving.load(&made(0)).is_ok());
    let before = format!("{serving:?}");
    assert!(serving.load(&Content::default()).is_err());
    assert_eq!(format!("{serving:?}"), before);
}

#[test]
fn a_key_is_never_printed() {
    assert_eq!(format!("{:?}", made(0)), "Content { .. }");
}

#[test]
fn an_authority_that_is_no_text_is_not_taken_for_its_key() {
    let content = Content { authorities: vec![0xff], ..made(0) };
    let error = content.with_certificate(&names(), at(1)).unwrap_err();
    assert_eq!(error, rcgen::Error::CouldNotParseCertificate);
    let content = Content { authority_key: vec![0xff], ..made(0) };
    let error = content.with_certificate(&names(), at(1)).unwrap_err();
    assert_eq!(error, rcgen::Error::CouldNotParseKeyPair);
}
