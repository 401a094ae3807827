//! Certificates as time passes, and after damage.

use super::*;

/// Some day.
const TODAY: u64 = 1_800_000_000;

fn names() -> Vec<String> {
    ["corsward.corsward-system.svc", "127.0.0.1"].map(str::to_owned).into()
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

fn next(content: &Content, now: UnixTime) -> Option<(RenewalReason, Content)> {
    let (why, content) = step(Some(content), &names(), now)?;
    Some((why, content.unwrap()))
}

/// The certificate of a content whose authorities vouch for it.
fn vouched(content: &Content, names: &[String], now: UnixTime) -> Result<Leaf, Damage> {
    let known = Authorities::read(content, now)?;
    Leaf::read(content, now)?.verified(&known.valid, names, now)
}

/// Verifies `content` as a client that trusts `bundle`.
fn trusts(bundle: &Content, content: &Content, now: UnixTime) -> bool {
    let (certificate, key) = (content.certificate.clone(), content.key.clone());
    let shown = Content { certificate, key, ..bundle.clone() };
    vouched(&shown, &names(), now).is_ok()
}

#[test]
fn the_first_one_is_made_whole_and_is_good_for_two_months() {
    let (why, content) = step(None, &names(), at(0)).unwrap();
    let content = content.unwrap();
    assert_eq!(why, RenewalReason::Missing);
    assert!(trusts(&content, &content, at(0)));
    for day in [0, 1, 30, 59] {
        assert!(next(&content, at(day)).is_none(), "day {day}");
    }
}

#[test]
fn a_certificate_is_replaced_before_it_expires_and_whoever_trusted_it_trusts_the_next() {
    let first = made(0);
    let (why, second) = next(&first, at(61)).unwrap();
    assert_eq!(why, RenewalReason::CertificateOld);
    assert_ne!(second.certificate, first.certificate);
    assert_ne!(second.key, first.key);
    assert_eq!(second.authorities, first.authorities);
    assert!(trusts(&first, &second, at(61)));
    assert!(next(&second, at(61)).is_none());
}

#[test]
fn a_year_and_more_passes_without_a_day_on_which_the_certificate_is_not_trusted() {
    let mut shown = made(0);
    let mut reasons = Vec::new();
    for day in 0..800 {
        let before = shown.clone();
        if let Some((why, content)) = next(&before, at(day)) {
            reasons.push(why);
            shown = content;
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
    let renewed = next(&first, at(59)).map_or(first, |(_, content)| content);
    // A certificate that is young when its authority is old.
    let young = renewed.with_certificate(&names(), at(249)).unwrap();
    let (why, shown) = next(&young, later(250, 0)).unwrap();
    assert_eq!(why, RenewalReason::AuthorityOld);
    assert_eq!(shown.certificate, young.certificate);
    assert!(next(&shown, later(250, 9)).is_none());
    let (why, signed) = next(&shown, later(250, 11)).unwrap();
    assert_eq!(why, RenewalReason::AuthoritySettled);
    assert!(trusts(&shown, &signed, at(251)));
    assert!(!trusts(&young, &signed, at(251)), "the old authority did not sign it");
}

const GARBAGE: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/// The replacement of a damaged content.
fn repaired(why: &str, damaged: &Content) -> Content {
    let (reason, content) =
        next(damaged, at(1)).unwrap_or_else(|| panic!("{why}: nothing is done"));
    assert!(matches!(reason, RenewalReason::Useless(_)), "{why}: {reason}");
    assert!(trusts(&content, &content, at(1)), "{why}");
    assert!(next(&content, at(1)).is_none(), "{why}: it is done once");
    content
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
    let (expired, content) = next(&good, at(91)).unwrap();
    assert_eq!(expired.to_string(), "what is there is of no use: `tls.crt` is not valid today");
    assert_eq!(content.authorities, good.authorities);
    let (long_expired, _) = next(&good, at(366)).unwrap();
    assert_eq!(long_expired.to_string(), "what is there is of no use: `ca.crt` is not valid today");
    let renamed = ["cors.corsward-system.svc".to_owned()];
    let (why, content) = step(Some(&good), &renamed, at(1)).unwrap();
    let why = why.to_string();
    assert!(why.contains("`tls.crt` does not vouch for `cors.corsward-system.svc`: "), "{why}");
    assert!(vouched(&content.unwrap(), &renamed, at(1)).is_ok());
}

#[test]
fn what_a_user_brings_needs_no_authority() {
    let good = made(0);
    let content = Content { authorities: Vec::new(), authority_key: Vec::new(), ..good };
    assert!(Leaf::read(&content, at(1)).is_ok());
    let expired = Leaf::read(&content, at(91)).unwrap_err().to_string();
    assert_eq!(expired, "`tls.crt` is not valid today");
    assert_eq!(
        Leaf::read(&Content::default(), at(1)).unwrap_err().to_string(),
        "`tls.crt` holds no certificate in PEM"
    );
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
