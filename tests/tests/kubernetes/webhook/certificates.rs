//! Certificates: made, repaired and replaced under a webhook that goes on answering.

use std::time::Duration;

use corsward_operator::certificates::Content;
use corsward_test_harness::cluster::{LocalCluster, OPERATOR_NAMESPACE};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::status::version;
use rustls::pki_types::UnixTime;
use serde_json::{Value, json};

use super::client::Client;
use super::fixture::{NAME, WebhookFixture, base64};

/// Certificates made for the webhook so many days ago.
fn made(days_ago: u64) -> Content {
    let names = [format!("{NAME}.{OPERATOR_NAMESPACE}.svc"), "127.0.0.1".to_owned()];
    let then = UnixTime::now().as_secs() - days_ago * 24 * 60 * 60;
    Content::new(&names, UnixTime::since_unix_epoch(Duration::from_secs(then))).unwrap()
}

/// A content as a Secret holds it.
fn data(content: &Content) -> Value {
    let field = |bytes: &[u8]| json!(base64(bytes));
    json!({ "data": {
        "tls.crt": field(&content.certificate),
        "tls.key": field(&content.key),
        "ca.crt": field(&content.authorities),
        "ca.key": field(&content.authority_key),
    } })
}

fn field(secret: &Value, name: &str) -> String {
    secret["data"][name].as_str().unwrap_or_default().to_owned()
}

/// The text of a certificate in PEM, without its frame.
fn bare(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

#[test]
fn a_damaged_secret_is_replaced_and_the_api_server_told_whom_to_trust() {
    let fixture = WebhookFixture::own();
    let before = fixture.secret();
    assert_eq!(before["type"], "kubernetes.io/tls");
    assert_eq!(before["metadata"]["labels"]["app.kubernetes.io/managed-by"], "corsward-operator");
    assert_eq!(fixture.bundle(), Some(field(&before, "ca.crt")));

    fixture
        .damage_secret(&json!({ "data": { "ca.key": base64(b"gone"), "more": base64(b"kept") } }));
    let after = eventually("another authority", || {
        let secret = fixture.secret();
        (field(&secret, "ca.crt") != field(&before, "ca.crt")).then_some(secret)
    })
    .unwrap();
    assert_eq!(field(&after, "more"), base64(b"kept"), "what others added stays");
    eventually("the new bundle", || fixture.bundle() == Some(field(&after, "ca.crt"))).unwrap();
    fixture.wait_until_asked();
    fixture.wait_for_line("replaced the webhook's certificates");

    // Deleted, it is there again.
    fixture.cluster.api().delete(&WebhookFixture::secret_path()).unwrap();
    let again = eventually("the Secret again", || {
        fixture.cluster.api().get(&WebhookFixture::secret_path()).unwrap()
    })
    .unwrap();
    assert_ne!(field(&again, "ca.crt"), field(&after, "ca.crt"));
    eventually("the new bundle", || fixture.bundle() == Some(field(&again, "ca.crt"))).unwrap();
    fixture.wait_until_asked();

    // What somebody else makes of our one field is repaired; the rest of the object is not ours.
    fixture.forget_bundle();
    eventually("the bundle again", || fixture.bundle() == Some(field(&again, "ca.crt"))).unwrap();
    fixture.wait_until_asked();
}

#[test]
fn a_certificate_that_grows_old_is_replaced_under_clients_that_trust_its_authority() {
    let fixture = WebhookFixture::own();
    let old = made(61);
    let trusting = Client::new(fixture.address(), &old.authorities);
    assert!(trusting.certificate().is_err(), "this authority is unknown yet");
    fixture.damage_secret(&data(&old));
    let replaced = eventually("another certificate", || {
        let secret = fixture.secret();
        let is_other = field(&secret, "tls.crt") != base64(&old.certificate);
        (is_other && field(&secret, "ca.crt") == base64(&old.authorities)).then_some(secret)
    })
    .unwrap();
    assert_ne!(field(&replaced, "tls.key"), base64(&old.key));
    eventually("the other certificate to be shown", || {
        let shown = trusting.certificate().ok()?;
        (bare(&fixture.decoded("tls.crt")) == base64(&shown)).then_some(())
    })
    .unwrap();
    fixture.wait_until_asked();
}

#[test]
fn an_authority_that_grows_old_is_joined_by_the_next_before_that_signs_anything() {
    let fixture = WebhookFixture::own();
    let old = made(250);
    fixture.damage_secret(&data(&old));
    let both = eventually("two authorities", || {
        let bundle = fixture.decoded("ca.crt");
        (bundle.matches("BEGIN CERTIFICATE").count() == 2).then(|| fixture.secret())
    })
    .unwrap();
    eventually("the bundle of both", || fixture.bundle() == Some(field(&both, "ca.crt"))).unwrap();
    fixture.wait_until_asked();
    // Whoever has not heard of the new authority yet trusts what is shown.
    let late = Client::new(fixture.address(), &old.authorities);
    assert!(late.certificate().is_ok(), "{:?}", late.certificate());
    let bundle = fixture.decoded("ca.crt");
    assert!(bundle.as_bytes().ends_with(&old.authorities), "the new one comes first");
}

#[test]
fn a_certificate_of_the_users_own_is_read_and_never_written() {
    let cluster = LocalCluster::own().unwrap();
    let own = Content { authority_key: Vec::new(), ..made(80) };
    let mut secret = data(&own);
    secret["metadata"] = json!({ "name": NAME });
    secret["type"] = json!("kubernetes.io/tls");
    let secrets = format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/secrets");
    let created = cluster.api().create(&secrets, &secret).unwrap();

    // It is older than one of ours would get, and has no key to sign another with.
    let fixture = WebhookFixture::on(cluster, &["--webhook-secret-external"]);
    fixture.wait_until_asked();
    assert_eq!(fixture.bundle(), Some(base64(&own.authorities)));
    let shown = fixture.client().certificate().unwrap();

    fixture.damage_secret(&json!({ "data": { "tls.key": base64(b"gone") } }));
    let line =
        fixture.wait_for_line("the webhook cannot serve the Secret's certificate: replace it");
    assert_eq!(line["error"], "`tls.key` holds no private key in PEM");
    assert_eq!(fixture.client().certificate(), Ok(shown.clone()), "the last good one is shown");

    let other = Content { authority_key: Vec::new(), ..made(1) };
    fixture.damage_secret(&data(&other));
    let client = eventually("the certificate put in its place", || {
        let client = Client::new(fixture.address(), &other.authorities);
        client.certificate().is_ok().then_some(client)
    })
    .unwrap();
    assert_ne!(client.certificate(), Ok(shown));
    fixture.wait_until_asked();
    // One write of the test's own for each of its three texts.
    let managers = fixture.secret()["metadata"]["managedFields"].to_string();
    assert!(!managers.contains("corsward-operator"), "{managers}");
    assert_ne!(version(&fixture.secret()), version(&created));
}
